"""The probes of one fold: choices on validation, the test split once."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.neighbors import NearestCentroid
from torch.nn import functional as F

from mk11.data.shots import shot_ranks
from mk11.evaluation.probe import measure as measured
from mk11.evaluation.probe.extract import Split
from mk11.evaluation.probe.measure import Settings, measure, spread
from mk11.metrics.final import OVERALL, classification_metrics
from mk11.metrics.probes import knn_scores, nearest

CLASSES = ("blast", "granular", "naked")
SETTINGS = Settings(
    neighbours=(1, 5, 20),
    temperature=0.07,
    strengths=(1e-4, 1e-2, 1.0),
    steps=500,
    shots=(1, 5),
    draws=4,
    seed=0,
)


def split(images, seed, spread=2.0):
    generator = np.random.default_rng(seed)
    labels = np.arange(images) % len(CLASSES)
    centres = np.random.default_rng(99).normal(0, 1, (len(CLASSES), 16))
    features = centres[labels] + generator.normal(0, spread, (images, 16))
    return Split(torch.tensor(features, dtype=torch.float32), torch.tensor(labels))


@pytest.fixture
def splits():
    return {"train": split(60, 1), "val": split(33, 2), "test": split(36, 3)}


@pytest.fixture
def groups():
    return np.array([f"P{number % 8}" for number in range(60)], dtype=object)


def test_everything_found_can_be_written_as_json(splits, groups):
    found = measure(splits, CLASSES, groups, SETTINGS)
    assert json.loads(json.dumps(found, allow_nan=False)).keys() == found.keys()


def test_k_and_c_are_the_best_on_validation(splits, groups):
    found = measure(splits, CLASSES, groups, SETTINGS)
    for method, choice in (("knn", "k"), ("linear", "C")):
        tried = found[method]["validation"]
        assert len(tried) == 3
        assert tried[found[method][choice]] == max(tried.values())
        assert tried[found[method][choice]] == pytest.approx(found[method]["val"]["f1_macro"])


def test_no_choice_looks_at_the_test_split(splits, groups):
    found = measure(splits, CLASSES, groups, SETTINGS)
    other = splits | {"test": split(50, 7, spread=9.0)}
    again = measure(other, CLASSES, groups, SETTINGS)
    for method in ("knn", "linear"):
        assert {k: v for k, v in again[method].items() if k != "test"} == {
            k: v for k, v in found[method].items() if k != "test"
        }
        assert again[method]["test"] != found[method]["test"]


def test_the_test_split_is_scored_once_for_each_method(splits, groups, monkeypatch):
    scored = []
    original = classification_metrics

    def watched(scores, labels, classes):
        scored.append(len(labels))
        return original(scores, labels, classes)

    monkeypatch.setattr(measured, "classification_metrics", watched)
    measure(splits, CLASSES, groups, replace(SETTINGS, shots=()))
    assert scored.count(36) == 3  # k-NN, linear probe, prototypes


def test_knn_figures_are_those_of_the_chosen_k(splits, groups):
    found = measure(splits, CLASSES, groups, SETTINGS)["knn"]
    train, test = splits["train"], splits["test"]
    neighbours = nearest(test.features, train.features, count=found["k"])
    scores = knn_scores(neighbours, train.labels, k=found["k"], temperature=0.07, num_classes=3)
    expected = classification_metrics(scores.numpy(), test.labels.numpy(), CLASSES)
    assert {name: found["test"][name] for name in OVERALL} == {name: expected[name] for name in OVERALL}


def test_more_neighbours_than_images_are_not_tried(splits, groups):
    few = splits | {"train": Split(splits["train"].features[:9], splits["train"].labels[:9])}
    found = measure(few, CLASSES, groups[:9], SETTINGS)["knn"]
    assert set(found["validation"]) == {1, 5}
    none_fits = replace(SETTINGS, neighbours=(50, 100))
    assert measure(few, CLASSES, groups[:9], none_fits)["knn"]["k"] == 9


def test_few_shots_are_nearest_centroids_of_each_draw(splits, groups):
    """A second way: scikit-learn on the drawn images, by hand."""
    found = measure(splits, CLASSES, groups, SETTINGS)["prototype"]["few"][1]
    train, test = splits["train"], splits["test"]
    mean = train.features.mean(0)
    near = F.normalize(train.features - mean, dim=1).numpy()
    asked = F.normalize(test.features - mean, dim=1).numpy()
    f1, balanced = [], []
    for draw in range(4):
        taken = shot_ranks(train.labels.numpy(), groups, seed=0, draw=draw) < 5
        predicted = NearestCentroid().fit(near[taken], train.labels[taken].numpy()).predict(asked)
        f1.append(f1_score(test.labels.numpy(), predicted, average="macro"))
        balanced.append(balanced_accuracy_score(test.labels.numpy(), predicted))
    assert found["shots"] == 5
    assert found["test"]["f1_macro"] == pytest.approx({"mean": np.mean(f1), "sd": np.std(f1, ddof=1)})
    assert found["test"]["balanced_accuracy"]["mean"] == pytest.approx(np.mean(balanced))


def test_shots_beyond_every_class_are_left_out_and_short_classes_named(splits, groups):
    uneven = torch.cat([torch.arange(0, 60, 3), torch.arange(1, 12, 3), torch.arange(2, 6, 3)])
    train = Split(splits["train"].features[uneven], splits["train"].labels[uneven])  # 20, 4 and 2 images
    settings = replace(SETTINGS, shots=(1, 4, 10, 20, 50))
    found = measure(splits | {"train": train}, CLASSES, groups[uneven], settings)["prototype"]["few"]
    assert {few["shots"]: few["short"] for few in found} == {
        1: [],
        4: ["naked"],
        10: ["granular", "naked"],
    }


def test_the_features_state_is_that_of_the_training_images(splits, groups):
    collapsed = splits | {"train": Split(torch.ones(60, 16), splits["train"].labels)}
    found = measure(collapsed, CLASSES, groups, SETTINGS)["features"]
    assert found["std"] == pytest.approx(0, abs=1e-5)
    assert found["rankme"] == pytest.approx(1, rel=1e-3)
    assert (found["dim"], found["most"]) == (16, 16)


def test_the_spread_of_one_value_is_unknown():
    assert spread([0.5]) == {"mean": 0.5, "sd": None}
    assert spread([0.0, 1.0]) == pytest.approx({"mean": 0.5, "sd": 0.5**0.5})
