from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torchmetrics.functional.classification import (
    multiclass_average_precision,
    multiclass_f1_score,
    multiclass_precision_recall_curve,
)

from mk11.metrics.final import OVERALL, classification_metrics

CLASSES = ("a", "b", "c", "d")


def drawn(seed, images=60, classes=4, decimals=None, labels=None):
    generator = np.random.default_rng(seed)
    scores = generator.dirichlet(np.ones(classes), images).astype(np.float32)
    if decimals is not None:  # ties
        scores = np.round(scores, decimals)
    chosen = generator.integers(0, classes, images) if labels is None else generator.choice(labels, images)
    return scores, chosen


def pr_auc_by_hand(scores, positive):
    """One point a distinct score, from the highest threshold down, joined by straight lines."""
    points = [(0.0, 1.0)]
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = scores >= threshold
        hits = (chosen & positive).sum()
        points.append((hits / positive.sum(), hits / chosen.sum()))
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))


def average_precision_by_hand(scores, positive):
    before, area = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = scores >= threshold
        recall = (chosen & positive).sum() / positive.sum()
        area += (recall - before) * (chosen & positive).sum() / chosen.sum()
        before = recall
    return area


def auroc_by_hand(scores, positive):
    """Share of (positive, negative) pairs ranked rightly, a tie counting half."""
    difference = scores[positive][:, None].astype(float) - scores[~positive][None].astype(float)
    return ((difference > 0) + 0.5 * (difference == 0)).mean()


def f1_by_hand(labels, predicted, index):
    hits = ((labels == index) & (predicted == index)).sum()
    return 2 * hits / ((labels == index).sum() + (predicted == index).sum())


CASES = {
    "random": drawn(0),
    "ties": drawn(1, decimals=1),
    "a class absent from the split": drawn(2, labels=[0, 1, 3]),
    "few images": drawn(3, images=7),
    "many ties and an absent class": drawn(4, decimals=0, labels=[1, 2]),
}


@pytest.mark.parametrize("case", CASES)
def test_every_metric_equals_the_slow_reference(case):
    scores, labels = CASES[case]
    predicted = scores.argmax(axis=1)
    found = classification_metrics(scores, labels, CLASSES)
    present = sorted(set(labels.tolist()))
    seen = sorted(set(labels.tolist()) | set(predicted.tolist()))
    recalls = [(predicted[labels == index] == index).mean() for index in present]
    f1 = {index: f1_by_hand(labels, predicted, index) for index in seen}
    expected = {
        "accuracy": (labels == predicted).mean(),
        "balanced_accuracy": np.mean(recalls),
        "f1_weighted": sum(f1[index] * (labels == index).mean() for index in present),
        "f1_macro": np.mean(list(f1.values())),
        "pr_auc": np.mean([pr_auc_by_hand(scores[:, index], labels == index) for index in present]),
        "average_precision_macro": np.mean(
            [average_precision_by_hand(scores[:, index], labels == index) for index in present]
        ),
        "auroc_macro": np.mean([auroc_by_hand(scores[:, index], labels == index) for index in present]),
    }
    assert {name: found[name] for name in OVERALL} == pytest.approx(expected, abs=1e-6)
    assert found["absent"] == [name for index, name in enumerate(CLASSES) if index not in present]
    assert found["images"] == len(labels)


def test_torchmetrics_agrees_where_every_class_is_present():
    scores, labels = CASES["random"]
    found = classification_metrics(scores, labels, CLASSES)
    predictions, target = torch.from_numpy(scores), torch.from_numpy(labels)
    precision, recall, _ = multiclass_precision_recall_curve(predictions, target, 4)
    areas = [float(torch.trapezoid(p.flip(0), r.flip(0))) for p, r in zip(precision, recall, strict=True)]
    assert found["pr_auc"] == pytest.approx(np.mean(areas), abs=1e-6)
    assert found["average_precision_macro"] == pytest.approx(
        float(multiclass_average_precision(predictions, target, 4, average="macro")), abs=1e-6
    )
    for average in ("macro", "weighted"):
        assert found[f"f1_{average}"] == pytest.approx(
            float(multiclass_f1_score(predictions, target, 4, average=average)), abs=1e-6
        )


def test_scikit_learn_agrees_on_its_own_names():
    scores, labels = CASES["random"]
    found = classification_metrics(scores, labels, CLASSES)
    normalised = scores.astype(float) / scores.astype(float).sum(axis=1, keepdims=True)
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, scores.argmax(axis=1)))
    assert found["auroc_macro"] == pytest.approx(
        roc_auc_score(labels, normalised, multi_class="ovr"), abs=1e-6
    )


def test_trapezoid_area_is_not_average_precision():
    scores, labels = CASES["random"]
    found = classification_metrics(scores, labels, CLASSES)
    assert abs(found["pr_auc"] - found["average_precision_macro"]) > 1e-3


def test_an_absent_class_is_null_and_does_not_lower_the_mean():
    scores, labels = CASES["a class absent from the split"]
    absent = classification_metrics(scores, labels, CLASSES)["per_class"]["c"]
    assert (absent["pr_auc"], absent["recall"], absent["support"]) == (None, None, 0)


def test_a_class_never_predicted_has_no_precision_but_an_f1_of_nought():
    scores = np.array([[0.9, 0.1], [0.8, 0.2]], np.float32)
    values = classification_metrics(scores, np.array([0, 1]), ("a", "b"))["per_class"]["b"]
    assert (values["precision"], values["recall"], values["f1"], values["support"]) == (None, 0.0, 0.0, 1)


def test_one_class_only_has_no_auroc():
    found = classification_metrics(
        np.array([[0.9, 0.1], [0.4, 0.6]], np.float32), np.array([0, 0]), ("a", "b")
    )
    assert found["auroc_macro"] is None
    assert found["accuracy"] == 0.5
    assert found["pr_auc"] == 1.0


def test_a_single_image():
    found = classification_metrics(np.array([[0.2, 0.8]], np.float32), np.array([1]), ("a", "b"))
    assert (found["accuracy"], found["f1_macro"], found["pr_auc"], found["auroc_macro"]) == (1, 1, 1, None)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), images=st.integers(2, 40), decimals=st.sampled_from([None, 0, 1]))
def test_the_order_of_images_does_not_matter_and_all_is_a_fraction(seed, images, decimals):
    scores, labels = drawn(seed, images=images, decimals=decimals)
    order = np.random.default_rng(seed).permutation(images)
    found = classification_metrics(scores, labels, CLASSES)
    shuffled = classification_metrics(scores[order], labels[order], CLASSES)
    for name in OVERALL:
        assert found[name] is None or 0 <= found[name] <= 1
        assert found[name] == pytest.approx(shuffled[name], abs=1e-9)


@given(labels=st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_perfect_predictions_score_one(labels):
    target = np.array(labels)
    found = classification_metrics(np.eye(4, dtype=np.float32)[target], target, CLASSES)
    defined = [found[name] for name in OVERALL if found[name] is not None]
    assert defined == pytest.approx([1.0] * len(defined))
