"""Which cells were missed and why, which regions are false, and which of both are shown."""

from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mk11.selection.gallery.content import BOX
from mk11.selection.gallery.mistakes import drawn_mistakes, in_turns, reasons_of

CELL = (100, 100, 140, 140)


def why(*regions, cell=CELL):
    """Reason and blamed region of one missed cell; each region: box and why it was dropped ("" = kept)."""
    cells = pd.DataFrame([("f", *cell)], columns=["field", *BOX], index=[7])
    found = [(f"{'f' if len(one) == 2 else one[2]}", *one[0], one[1]) for one in regions]
    told = reasons_of(cells, pd.DataFrame(found, columns=["field", *BOX, "reason"]))
    assert list(told.index) == [7]
    return tuple(told.loc[7, ["why", "region"]])


def test_a_cell_is_missed_by_the_region_in_it_that_was_dropped():
    assert why(((10, 10, 20, 20), "small"), ((105, 105, 130, 130), "sparse")) == ("dropped: sparse", 1)


def test_of_several_regions_that_which_has_most_of_the_cell_is_to_blame():
    specks = ((101, 101, 104, 104), "small"), ((102, 110, 130, 138), "sparse"), ((90, 90, 300, 300), "large")
    assert why(*specks[:2]) == ("dropped: sparse", 1)
    assert why(*specks) == ("dropped: large", 2)


def test_a_kept_region_that_is_centred_elsewhere_took_the_cell_in():
    assert why(((90, 90, 240, 240), "")) == ("lies in a region centred elsewhere", -1)


def test_a_kept_region_in_the_cell_was_matched_to_another():
    assert why(((95, 95, 135, 135), "")) == ("its region counts for a neighbour", -1)


@pytest.mark.parametrize(
    "regions",
    [
        [],
        [((10, 10, 30, 30), "small")],
        [((130, 100, 200, 140), "small")],
        [((105, 105, 130, 130), "small", "g")],  # of the field g
    ],
)
def test_regions_beside_a_cell_or_in_another_field_are_not_to_blame(regions):
    assert why(*regions) == ("no region here", -1)


def test_where_no_cell_is_marked_there_are_no_mistakes(make):
    assert drawn_mistakes(make()) == []


def test_missed_cells_and_false_regions_are_those_without_each_other(marked):
    missed, false = drawn_mistakes(marked())
    assert (missed.total, false.total) == (2, 1)
    assert missed.shown[["field", "title", "why"]].to_numpy().tolist() == [
        ["P1/b.png", "blast", "dropped: smaller than 7 um"],
        ["P3/e.png", "blast", "no region here"],
    ]
    assert false.shown[["field", "title", "why"]].to_numpy().tolist() == [
        ["P2/c.png", "not selected", "beyond the threshold"]
    ]


def test_a_second_region_of_a_cell_is_told_from_one_that_is_none(marked):
    content = marked()
    cells = content.truth.cells
    cells.loc[cells["field"] == "P2/c.png", BOX] = [0, 0, 160, 120]
    _, false = drawn_mistakes(content)
    assert list(false.shown["why"]) == ["second region of a marked cell; beyond the threshold"]


def test_a_bounded_number_is_shown_and_all_are_counted(marked):
    content = marked()
    cells = pd.concat([content.truth.cells.iloc[-1:]] * 40, ignore_index=True)
    content = replace(content, truth=content.truth._replace(cells=cells))
    missed, _ = drawn_mistakes(content)
    assert (len(missed.shown), missed.total) == (3 * content.limits.crops_a_strip, 40)


@given(st.lists(st.sampled_from("abc")), st.integers(0, 9), st.integers(0, 3))
def test_groups_take_turns_until_they_have_no_more(groups, count, seed):
    chosen = in_turns(pd.Series(groups, dtype=object), count=count, seed=seed)
    assert len(chosen) == len(set(chosen)) == min(count, len(groups))
    shown, there = Counter(groups[place] for place in chosen), Counter(groups)
    most = max(shown.values(), default=0)
    assert all(shown[group] >= min(most - 1, there[group]) for group in there)
    assert [groups[place] for place in chosen] == sorted(groups[place] for place in chosen)


def test_the_seed_decides_who_is_drawn():
    groups = pd.Series(["a"] * 50)
    first, again, other = (in_turns(groups, count=5, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
