"""Formula (8) by hand, its limits, and which prototype decides about a candidate."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mk11.errors import UserError
from mk11.selection.prototypes import described
from mk11.selection.thresholds import ThresholdRule, thresholds

RULE = {"bounds": "cluster", "lower": 15.0, "upper": 19.0, "alpha": 1.0, "match": "nearest"}


def limits(sizes, lower, upper, alpha):
    sizes = np.array(sizes)
    return thresholds(sizes, np.full(len(sizes), lower), np.full(len(sizes), upper), alpha=alpha)


def test_the_paper_s_bounds_by_hand():
    # 1 - n / 100: 0, 0.75, 0.99; LB 15, UB 19
    assert limits([100, 25, 1], 15.0, 19.0, 1.0) == pytest.approx([15.0, 18.0, 18.96])
    assert limits([100, 25, 1], 15.0, 19.0, 0.5) == pytest.approx([15.0, 15 + 4 * 0.75**0.5, 18.97995])
    assert limits([100, 25, 1], 15.0, 19.0, 2.0) == pytest.approx([15.0, 17.25, 15 + 4 * 0.9801])


sizes = st.lists(st.integers(1, 10_000), min_size=1, max_size=12)
bounds = st.tuples(st.floats(0, 1e3), st.floats(0, 1e3)).map(sorted)


@given(sizes, bounds, st.floats(0, 5))
def test_thresholds_lie_within_their_bounds(sizes, bounds, alpha):
    found = limits(sizes, *bounds, alpha)
    assert (found >= bounds[0]).all()
    assert (found <= bounds[1]).all()


@given(sizes, bounds, st.floats(0.05, 5))
def test_thresholds_fall_as_clusters_grow_down_to_the_lower_bound(sizes, bounds, alpha):
    found = limits(sizes, *bounds, alpha)
    order = np.argsort(sizes)
    assert (np.diff(found[order]) <= 0).all()
    assert found[np.argmax(sizes)] == bounds[0]


def test_a_smaller_cluster_has_a_strictly_higher_threshold():
    assert (np.diff(limits([5, 10, 20, 40], 15.0, 19.0, 1.0)) < 0).all()


@given(sizes, bounds)
def test_with_alpha_0_every_cluster_has_its_upper_bound(sizes, bounds):
    assert limits(sizes, *bounds, 0.0) == pytest.approx(bounds[1])


@given(sizes, bounds, st.floats(0, 5), st.floats(0, 5))
def test_a_larger_alpha_never_raises_a_threshold(sizes, bounds, one, other):
    assume(one < other)
    assert (limits(sizes, *bounds, one) >= limits(sizes, *bounds, other) - 1e-9).all()


@pytest.fixture
def prototypes():
    """Three crops about 0 at distances 1, 1 and 2; one at 10 alone with its mirror image at distance 3."""
    features = np.array([[-1.0], [-1.0], [2.0], [7.0], [13.0]])
    return described(features, np.array([0, 0, 0, 1, 1]), ["many", "few"], np.array([0, 0, 0, 1, 1]))


def test_bounds_of_the_cluster_are_its_own_distances(prototypes):
    # few: 3 + 0 * (1 - 2/3); many is the largest: its least distance
    assert ThresholdRule(**RULE).of(prototypes) == pytest.approx([1.0, 3.0])
    assert ThresholdRule(**RULE | {"alpha": 0}).of(prototypes) == pytest.approx([2.0, 3.0])


def test_fixed_bounds_are_the_same_for_all(prototypes):
    found = ThresholdRule(**RULE | {"bounds": "fixed"}).of(prototypes)
    assert found == pytest.approx([15.0, 15 + 4 / 3])


def test_only_the_nearest_prototype_or_every_one_may_admit(prototypes):
    candidates = np.array([[0.5], [4.9], [7.5]])  # distances 0.5 and 9.5; 4.9 and 5.1; 7.5 and 2.5
    nearest = ThresholdRule(**RULE).measure(candidates, prototypes)
    assert nearest.prototype.tolist() == [0, 0, 1]
    assert nearest.distance == pytest.approx([0.5, 4.9, 2.5])
    assert nearest.threshold == pytest.approx([1.0, 1.0, 3.0])
    assert nearest.within.tolist() == [True, False, True]
    assert nearest.ratio == pytest.approx([0.5, 4.9, 2.5 / 3])
    every = ThresholdRule(**RULE | {"match": "every"}).measure(candidates, prototypes)
    assert every.prototype.tolist() == [0, 1, 1]  # 4.9 / 1 against 5.1 / 3
    assert every.distance == pytest.approx([0.5, 5.1, 2.5])


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=20))
def test_every_prototype_admits_what_any_of_them_would(places):
    features = np.array([[-1.0], [-1.0], [2.0], [7.0], [13.0]])
    made = described(features, np.array([0, 0, 0, 1, 1]), ["many", "few"], np.array([0, 0, 0, 1, 1]))
    rule = ThresholdRule(**RULE | {"match": "every"})
    found = rule.measure(np.array(places)[:, None], made)
    expected = [abs(place) <= 1 or abs(place - 10) <= 3 for place in places]
    assert found.within.tolist() == expected


def test_a_threshold_of_0_admits_equal_crops_only():
    alone = described(np.array([[1.0], [4.0]]), np.array([0, 1]), ["a", "b"], np.array([0, 1]))
    found = ThresholdRule(**RULE).measure(np.array([[1.0], [1.5]]), alone)
    assert found.threshold.tolist() == [0.0, 0.0]
    assert found.ratio.tolist() == [0.0, np.inf]
    assert found.within.tolist() == [True, False]


@pytest.mark.parametrize(
    ("key", "value"),
    [("bounds", "wide"), ("match", "some"), ("lower", 0), ("upper", 14.0), ("alpha", -1), ("alpha", "x")],
)
def test_a_value_that_its_key_cannot_hold_is_refused(key, value):
    with pytest.raises(UserError, match=rf"selection\.thresholds\.{key} must"):
        ThresholdRule(**RULE | {key: value})
