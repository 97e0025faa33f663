"""Bars of distances, and the threshold among them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mk11.selection.gallery.histogram import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, histogram, span_of

FULL = HEIGHT - TOP - BOTTOM


def table(distances, admitted):
    return pd.DataFrame({"distance": np.array(distances, float), "admitted": np.array(admitted, bool)})


def test_the_threshold_stands_where_the_axis_has_it():
    drawn = histogram(table([0, 20], [True, False]), threshold=5.0, span=(0.0, 20.0))
    assert drawn.threshold == pytest.approx(LEFT + (WIDTH - LEFT - RIGHT) / 4)
    assert drawn.threshold_words == "threshold 5.000"


def test_without_a_threshold_there_is_no_line():
    drawn = histogram(table([1, 2], [True, False]), threshold=float("nan"), span=(0.0, 4.0))
    assert drawn.threshold is None
    assert drawn.threshold_words == ""


def test_selected_ones_stand_below_the_others_in_one_bar():
    # Three of one distance, one of them selected, and one alone: bars of 1/3 + 2/3 and of 1/3 of the height.
    drawn = histogram(table([1, 1, 1, 9], [True, False, False, False]), threshold=2.0, span=(0.0, 10.0))
    mixed, alone = drawn.bars
    assert (mixed.selected_height, mixed.other_height) == pytest.approx((FULL / 3, 2 * FULL / 3), abs=0.02)
    assert mixed.selected_y == pytest.approx(mixed.other_y + mixed.other_height, abs=0.02)
    assert (alone.selected_height, alone.other_height) == pytest.approx((0, FULL / 3), abs=0.02)
    assert mixed.words.endswith("1 selected, 2 not")


def test_one_axis_holds_all_distances_and_thresholds():
    low, high = span_of(pd.Series([3.0, np.nan, 7.0]), pd.Series([9.0, np.nan]))
    assert low < 3
    assert high > 9
    assert span_of(pd.Series([np.nan]), pd.Series(dtype=float)) == (0.0, 1.0)


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), min_size=1, max_size=60))
def test_no_distance_is_lost_and_no_bar_leaves_the_drawing(drawn):
    candidates = table(*zip(*drawn, strict=True))
    shown = histogram(candidates, threshold=50.0, span=span_of(candidates["distance"], pd.Series([50.0])))
    told = [int(word) for bar in shown.bars for word in bar.words.split(": ")[1].split() if word.isdecimal()]
    assert sum(told) == len(drawn)
    assert sum(told[::2]) == candidates["admitted"].sum()
    for bar in shown.bars:
        assert bar.x >= LEFT
        assert bar.x + bar.width <= WIDTH - RIGHT + 0.01
        assert bar.other_y >= TOP - 0.01


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40), st.floats(0, 100))
def test_no_bar_reaches_over_the_threshold(distances, threshold):
    candidates = table(distances, np.array(distances) <= threshold)
    shown = histogram(
        candidates, threshold=threshold, span=span_of(candidates["distance"], pd.Series([threshold]))
    )
    for bar in shown.bars:
        assert 0 in (bar.selected_height, bar.other_height)
        side = bar.x + bar.width <= shown.threshold if bar.selected_height else bar.x >= shown.threshold
        assert side
