import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from run_folders import CLASSES, write_run
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from mk11.errors import UserError
from mk11.evaluation.calibration import (
    BINS,
    brier_score,
    calibration_of,
    expected_calibration_error,
    fit_temperature,
    reliability,
    tempered,
)
from mk11.evaluation.predictions import read_predictions, write_predictions


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def drawn(seed=0, *, images=2000, classes=4, sharpness=1.0):
    """Labels that follow the probabilities exactly, and those probabilities made too sure."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 1.5, (images, classes))
    chance = softmax(logits)
    labels = (generator.random((images, 1)) > chance.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    return softmax(sharpness * logits).astype(np.float32), labels


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_torchmetrics_agrees_on_the_calibration_error(sharpness):
    scores, labels = drawn(sharpness=sharpness)
    theirs = multiclass_calibration_error(
        torch.from_numpy(scores), torch.from_numpy(labels), num_classes=4, n_bins=15, norm="l1"
    )
    assert expected_calibration_error(scores, labels, bins=15) == pytest.approx(float(theirs), abs=1e-5)


def test_the_calibration_error_by_hand():
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.3, 0.7]], np.float32)
    labels = np.array([0, 1, 1, 1])
    # of five bins: two images of 0.9, one of them right; 0.6 in (0.4, 0.6] and 0.7 in (0.6, 0.8], both right
    assert expected_calibration_error(scores.astype(float), labels, bins=5) == pytest.approx(
        (2 * 0.4 + 0.4 + 0.3) / 4, abs=1e-6
    )


def test_bins_hold_every_image_and_empty_ones_have_no_mean():
    scores, labels = drawn(images=50)
    found = reliability(scores, labels, bins=15)
    assert found.count.sum() == 50
    assert len(found.edges) == 16
    assert np.array_equal(np.isnan(found.accuracy), found.count == 0)
    full = found.count > 0
    assert (found.edges[:-1][full] < found.confidence[full]).all()
    assert (found.confidence[full] <= found.edges[1:][full] + 1e-7).all()


def test_scikit_learn_agrees_on_the_brier_score():
    scores, labels = drawn()
    normalised = scores.astype(float) / scores.astype(float).sum(axis=1, keepdims=True)
    theirs = brier_score_loss(labels, normalised, scale_by_half=False)
    assert brier_score(scores, labels) == pytest.approx(theirs, abs=1e-6)


def test_the_worst_brier_score_is_2():
    assert brier_score(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1, 0])) == 2.0


@pytest.mark.parametrize("sharpness", [0.5, 2.0, 4.0])
def test_the_temperature_undoes_what_made_the_network_too_sure(sharpness):
    scores, labels = drawn(images=8000, sharpness=sharpness)
    temperature = fit_temperature(scores, labels)
    assert temperature == pytest.approx(sharpness, rel=0.08)
    before, after = (
        expected_calibration_error(p, labels, bins=15) for p in (scores, tempered(scores, temperature))
    )
    assert after < 0.3 * before


def test_no_temperature_on_a_grid_is_better():
    scores, labels = drawn(1, images=300, sharpness=2.5)
    best = log_loss(labels, tempered(scores, fit_temperature(scores, labels)))
    grid = [log_loss(labels, tempered(scores, t)) for t in np.geomspace(0.05, 20, 400)]
    assert best <= min(grid) + 1e-9


def test_a_temperature_is_a_power_of_the_probabilities():
    scores, _ = drawn(images=20)
    powers = scores.astype(float) ** (1 / 2.5)
    assert tempered(scores, 2.5) == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-6)


def test_probabilities_of_exactly_0_and_1_stay_finite():
    scores = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
    labels = np.array([0, 1, 2, 0, 1, 0])  # the last is wrong with certainty
    temperature = fit_temperature(scores, labels)
    assert 1 < temperature <= 20.001
    changed = tempered(scores, temperature)
    assert np.isfinite(changed).all()
    assert changed.sum(axis=1) == pytest.approx(np.ones(6))
    assert np.isfinite(tempered(scores, 0.05)).all()
    assert expected_calibration_error(scores, labels, bins=15) == pytest.approx(1 / 6)


def test_a_network_that_is_always_right_may_be_surer_still():
    scores = np.where(np.eye(3)[[0, 1, 2]] > 0, 0.8, 0.1).astype(np.float32)
    assert fit_temperature(scores, np.array([0, 1, 2])) < 0.1


def test_probabilities_without_any_preference_keep_temperature_1():
    assert fit_temperature(np.full((6, 4), 0.25, np.float32), np.array([0, 1, 2, 3, 0, 1])) == 1.0


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6), temperature=st.floats(0.05, 20))
def test_the_predicted_class_is_the_same_at_any_temperature(seed, temperature):
    scores, _ = drawn(seed, images=20)
    assert np.array_equal(tempered(scores, temperature).argmax(axis=1), scores.argmax(axis=1))


def test_the_temperature_of_a_run_is_fitted_on_validation_and_all_else_is_of_test(tmp_path):
    path = write_run(tmp_path) / "predictions.parquet"
    table = pd.read_parquet(path)
    table = table[table["checkpoint"] == "best"]
    split = {
        name: (part[[f"p_{c}" for c in CLASSES]].to_numpy(), part["label"].to_numpy())
        for name, part in table.groupby("split")
    }
    found, temperature = calibration_of(path), fit_temperature(*split["val"])
    scores, labels = split["test"]
    softened = tempered(scores, temperature)
    assert found["temperature"] == temperature
    assert found["brier"] == pytest.approx(brier_score(scores, labels))
    assert found["brier_tempered"] == pytest.approx(brier_score(softened, labels))
    assert found["ece_tempered"] == pytest.approx(expected_calibration_error(softened, labels, bins=BINS))


def test_a_corrected_calibration_is_not_answered_from_the_cache():
    """What is cached is bound to the code under mk11.evaluation, so it must be there."""
    assert calibration_of.__module__ == "mk11.evaluation.calibration"


def test_predictions_without_a_split_are_refused(tmp_path):
    path = write_run(tmp_path) / "predictions.parquet"
    table, classes = read_predictions(path)
    write_predictions(path, table[table["split"] == "test"], classes)
    with pytest.raises(UserError, match="must have predictions of best on val, but has none"):
        calibration_of(path)
