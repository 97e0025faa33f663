import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mk11.evaluation.selective import area_under_coverage_risk, coverage_risk


def drawn(seed, images, decimals=1):
    generator = np.random.default_rng(seed)
    scores = generator.dirichlet(np.ones(3), images).round(decimals).astype(np.float32)
    return scores, generator.integers(0, 3, images)


def slow_curve(scores, labels):
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == labels
    points = []
    for threshold in sorted(set(confidence.tolist()), reverse=True):
        kept = confidence >= threshold
        points.append((kept.mean(), 1 - right[kept].mean()))
    return points


def test_the_curve_by_hand():
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]], np.float32)
    coverage, risk = coverage_risk(scores, np.array([0, 0, 0, 1]))  # right, wrong, right, right
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4])
    area = area_under_coverage_risk(scores, np.array([0, 0, 0, 1]))
    assert area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_equally_sure_images_are_kept_together():
    scores = np.array([[0.7, 0.3], [0.3, 0.7], [0.7, 0.3]], np.float32)
    coverage, risk = coverage_risk(scores, np.array([0, 1, 1]))
    assert (coverage.tolist(), risk.tolist()) == ([1.0], [pytest.approx(1 / 3)])


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), images=st.integers(1, 40), decimals=st.sampled_from([1, 6]))
def test_the_curve_equals_that_of_a_loop_over_thresholds(seed, images, decimals):
    scores, labels = drawn(seed, images, decimals)
    coverage, risk = coverage_risk(scores, labels)
    expected = slow_curve(scores, labels)
    assert list(zip(coverage, risk, strict=True)) == [pytest.approx(point, abs=1e-12) for point in expected]
    assert risk[-1] == pytest.approx(1 - (scores.argmax(axis=1) == labels).mean())


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6))
def test_the_area_is_the_mean_risk_at_each_images_own_threshold(seed):
    scores, labels = drawn(seed, 25)
    confidence, wrong = scores.max(axis=1), scores.argmax(axis=1) != labels
    expected = np.mean([wrong[confidence >= own].mean() for own in confidence])
    assert area_under_coverage_risk(scores, labels) == pytest.approx(expected)
    order = np.random.default_rng(seed).permutation(25)
    assert area_under_coverage_risk(scores[order], labels[order]) == pytest.approx(expected)


def test_sure_where_right_is_better_than_sure_where_wrong():
    confidence = np.linspace(0.55, 0.95, 20)
    scores = np.stack([confidence, 1 - confidence], axis=1).astype(np.float32)
    right_when_sure, wrong_when_sure = (np.arange(20) < 6).astype(int), (np.arange(20) >= 14).astype(int)
    areas = [area_under_coverage_risk(scores, labels) for labels in (right_when_sure, wrong_when_sure)]
    assert areas[0] < 0.1 < 0.5 < areas[1]


def test_no_mistake_no_area():
    scores = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    assert area_under_coverage_risk(scores, np.array([0, 1])) == 0.0
