"""Which crops stand in the strips of a prototype."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from mk11.selection.gallery.strips import FARTHEST, FIRST, INSIDE, LAST, NEAREST, OUTSIDE, REJECTED, strips_of


def table(distances, threshold=np.nan, admitted=None, ranks=None, reasons="beyond the threshold"):
    distances = np.asarray(distances, dtype=float)
    let_in = distances <= threshold if admitted is None else np.asarray(admitted, dtype=bool)
    return pd.DataFrame(
        {
            "distance": distances,
            "threshold": threshold,
            "admitted": let_in,
            "rank": -1 if ranks is None else ranks,
            "crop_hash": [f"{k:04x}" for k in range(len(distances))],
            "reason": np.where(let_in, "", reasons),
        }
    )


def rows(strips):
    return {strip.title: strip.rows for strip in strips}


def test_strips_go_from_the_nearest_over_both_sides_of_the_threshold_to_the_farthest():
    # By distance: rows 9, 8, ..., 0; the threshold lets in the five nearest.
    found = rows(strips_of(table([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], threshold=5), count=2))
    assert found == {NEAREST[0]: [9, 8], INSIDE[0]: [6, 5], OUTSIDE[0]: [4, 3], FARTHEST[0]: [0, 1]}


def test_a_distance_at_the_threshold_is_inside():
    assert rows(strips_of(table([5.0], threshold=5.0), count=2))[NEAREST[0]] == [0]


def test_where_nothing_lies_within_the_threshold_the_strip_says_so():
    found = rows(strips_of(table([7, 6], threshold=5), count=2))
    assert found == {NEAREST[0]: [], OUTSIDE[0]: [1, 0]}


def test_without_a_threshold_those_let_in_count_as_inside():
    found = rows(strips_of(table([1, 2, 3], admitted=[True, False, True]), count=1))
    assert found == {NEAREST[0]: [0], INSIDE[0]: [2], OUTSIDE[0]: [1]}


def test_without_distances_the_rank_decides():
    candidates = table([np.nan] * 5, admitted=[1, 1, 0, 1, 0], ranks=[2, 0, -1, 1, -1])
    assert rows(strips_of(candidates, count=1)) == {FIRST[0]: [1], LAST[0]: [0], REJECTED[0]: [2]}


def test_a_reason_that_all_of_a_strip_share_is_told_once():
    candidates = table([6, 7, 8, 9], threshold=5, reasons=["far", "far", "held out", "far"])
    assert [strip.reason for strip in strips_of(candidates, count=2)] == ["", "far", ""]


@given(st.lists(st.tuples(st.floats(0, 9), st.booleans()), max_size=40), st.floats(0, 9), st.integers(1, 6))
def test_no_crop_stands_twice_and_thresholds_part_the_strips(drawn, threshold, count):
    candidates = table([d for d, _ in drawn], threshold=threshold)
    candidates["admitted"] &= np.array([kept for _, kept in drawn], dtype=bool)
    strips = strips_of(candidates, count=count)
    shown = [row for strip in strips for row in strip.rows]
    assert len(shown) == len(set(shown))
    assert all(len(strip.rows) <= count for strip in strips)
    for strip in strips:
        within = strip.title in (NEAREST[0], INSIDE[0])
        assert ((candidates.loc[strip.rows, "distance"] <= threshold) == within).all()
