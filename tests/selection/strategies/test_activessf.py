"""ActiveSSF by hand: who is within the threshold of the nearest prototype."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selection_crops import candidates, labelled, rules

from mk11.selection.strategies.activessf import ActiveSSF
from mk11.selection.strategies.all import All

# Prototypes at 0 (three crops, distances 1 to 2) and 10 (two crops, both at 3): thresholds 1 and 3.


def select(*places, budget=None, **thresholds):
    return ActiveSSF(**rules(**thresholds)).select(candidates(*places), labelled(), budget=budget, seed=0)


def test_crops_within_their_prototype_s_threshold_are_admitted():
    table = select(0.5, 1.5, 7.5, 6.0, 11.0)
    assert table["prototype"].tolist() == [0, 0, 1, 1, 1]
    assert table["distance"].tolist() == pytest.approx([0.5, 1.5, 2.5, 4.0, 1.0])
    assert table["threshold"].tolist() == pytest.approx([1.0, 1.0, 3.0, 3.0, 3.0])
    assert table["admitted"].tolist() == [True, False, True, False, True]
    assert table["reason"].tolist() == ["", "beyond the threshold", "", "beyond the threshold", ""]
    # distance / threshold: 0.5, 1.5, 0.83, 1.33, 0.33
    assert table["rank"].tolist() == [1, 4, 2, 3, 0]


def test_a_budget_takes_the_nearest_for_their_threshold_within_it_or_not():
    table = select(0.5, 1.5, 7.5, 6.0, 11.0, budget=4)
    assert table["admitted"].tolist() == [True, False, True, True, True]
    assert table["reason"].tolist()[1] == "beyond the budget"
    table = select(0.5, 1.5, 7.5, 6.0, 11.0, budget=2)
    assert table["admitted"].tolist() == [True, False, False, False, True]


def test_the_rare_prototype_admits_more_with_equal_bounds():
    # thresholds 1 and 1 + 2 * (1 - 2/3) = 5/3
    table = select(1.2, 8.8, bounds="fixed", lower=1.0, upper=3.0)
    assert table["threshold"].tolist() == pytest.approx([1.0, 5 / 3])
    assert table["admitted"].tolist() == [False, True]


def test_a_crop_at_the_threshold_is_admitted():
    assert select(1.0, 7.0)["admitted"].tolist() == [True, True]


@settings(max_examples=15)
@given(st.lists(st.integers(-40, 60), min_size=1, max_size=15, unique=True), st.integers(1, 15))
def test_a_larger_budget_adds_to_a_smaller_one(places, budget):
    few, more = (select(*places, budget=size)["admitted"] for size in (budget, budget + 1))
    assert (more | ~few).all()


@settings(max_examples=15)
@given(st.lists(st.integers(-40, 60), min_size=1, max_size=15, unique=True))
def test_without_a_budget_the_admitted_are_the_first_ranks(places):
    table = select(*places)
    count = table["admitted"].sum()
    assert (table["admitted"] == (table["rank"] < count)).all()
    assert (table["admitted"] == (table["distance"] <= table["threshold"])).all()


def test_all_admits_those_beyond_the_threshold_too():
    table = All(**rules()).select(candidates(0.5, 400.0), labelled(), budget=None, seed=0)
    assert table["admitted"].all()
    assert np.array_equal(table["rank"], [0, 1])
