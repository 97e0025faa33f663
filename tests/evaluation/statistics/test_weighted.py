from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from mk11.errors import UserError
from mk11.evaluation.statistics.arrays import mean_of_defined
from mk11.evaluation.statistics.ranking import auroc, average_precision, ranker, trapezoid_pr_auc
from mk11.evaluation.statistics.weighted import CLASS_MEASURES, measure
from mk11.metrics.final import OVERALL, classification_metrics
from mk11.metrics.final import trapezoid_pr_auc as trapezoid_by_scikit_learn


def values(metric, fold, weights):
    terms = measure(metric, fold.probabilities[0], fold.labels, fold.classes)(weights)
    return mean_of_defined(terms)


def weights_of(images, draws, seed, most=3):
    return np.random.default_rng(seed).integers(0, most + 1, (images, draws)).astype(np.int32)


def really_repeated(fold, weights):
    rows = np.repeat(np.arange(len(weights)), weights)
    return classification_metrics(fold.probabilities[0][rows], fold.labels[rows], fold.classes)


def none_as_nan(value):
    return np.nan if value is None else value


@pytest.mark.parametrize("decimals", [None, 1, 0], ids=["distinct", "some ties", "ties everywhere"])
@pytest.mark.parametrize("labels", [None, [0, 2]], ids=["all classes", "two absent classes"])
def test_counting_an_image_twice_is_having_it_twice(drawn, labels, decimals):
    fold = drawn(decimals=decimals, labels=labels, images=30)
    weights = weights_of(30, 12, seed=1)
    weights[:, 0] *= fold.labels == 0  # a draw of one class
    expected = [really_repeated(fold, column) for column in weights.T]
    for metric in OVERALL:
        theirs = [none_as_nan(found[metric]) for found in expected]
        assert values(metric, fold, weights) == pytest.approx(theirs, abs=1e-12, nan_ok=True), metric
    for name, measured in product(fold.classes, CLASS_MEASURES):
        theirs = [none_as_nan(found["per_class"][name][measured]) for found in expected]
        ours = values(f"{measured}:{name}", fold, weights)
        assert ours == pytest.approx(theirs, abs=1e-12, nan_ok=True), (measured, name)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), images=st.integers(1, 30), levels=st.integers(1, 12))
def test_ranked_areas_equal_scikit_learns_on_repeated_images(seed, images, levels):
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, levels, images) / levels
    positive = generator.random(images) < 0.4
    positive[generator.integers(images)] = True
    weights = weights_of(images, 6, seed)
    ranked = ranker(scores, positive)(weights)
    for area, reference in (
        (trapezoid_pr_auc, lambda truth, found: trapezoid_by_scikit_learn(found, truth)),
        (average_precision, average_precision_score),
        (auroc, roc_auc_score),
    ):
        for column, found in zip(weights.T, area(ranked), strict=True):
            truth, repeated = np.repeat(positive, column), np.repeat(scores, column)
            undefined = not truth.any() or (area is auroc and truth.all())
            expected = np.nan if undefined else reference(truth, repeated)
            assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_the_highest_scores_may_be_images_that_were_not_drawn():
    scores, positive = np.array([0.9, 0.8, 0.7, 0.6]), np.array([False, True, False, True])
    ranked = ranker(scores, positive)(np.array([[0], [1], [1], [2]], np.int32))
    # drawn, from the top: +, -, +, +; precision 1 at recall 1/3, then 1/2, then 3/4 (both in one tied run)
    assert trapezoid_pr_auc(ranked)[0] == pytest.approx(1 / 3 + 2 / 3 * (1 / 2 + 3 / 4) / 2)


def test_an_unknown_metric_is_refused_with_the_known_ones(drawn):
    fold = drawn()
    for metric in ("f2", "f1:e", "accuracy:a"):
        with pytest.raises(UserError, match=rf"accuracy, .*precision.*a, b, c, d, but is {metric}"):
            measure(metric, fold.probabilities[0], fold.labels, fold.classes)


def test_a_class_name_may_hold_a_colon(drawn):
    fold = drawn()
    terms = measure("recall:b:c", fold.probabilities[0], fold.labels, ("a", "b:c", "c", "d"))
    expected = (fold.probabilities[0].argmax(axis=1) == 1)[fold.labels == 1].mean()
    assert terms(np.ones((60, 1), np.int32))[0, 0] == pytest.approx(expected)
