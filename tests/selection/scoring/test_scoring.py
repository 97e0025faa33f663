import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mk11.errors import UserError
from mk11.selection.scoring.corrections import corrected, read_corrections, without_unsure
from mk11.selection.scoring.matching import match_by_centre, match_by_overlap, overlaps
from mk11.selection.scoring.scores import match_fields, scores

BOX = ["field", "x0", "y0", "x1", "y1"]
boxes = st.lists(st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(1, 15)] * 2), max_size=4)


def as_boxes(drawn):
    return np.array([(x, y, x + w, y + h) for x, y, w, h in drawn], float).reshape(-1, 4)


def truth(*rows):
    return pd.DataFrame(rows, columns=[*BOX, "kind"])


def regions(*rows):
    return pd.DataFrame(rows, columns=BOX)


def slow_overlap(a, b):
    def pixels(box):
        return {(x, y) for x in range(int(box[0]), int(box[2])) for y in range(int(box[1]), int(box[3]))}

    one, other = pixels(a), pixels(b)
    return len(one & other) / len(one | other)


@given(boxes, boxes)
@settings(max_examples=25, deadline=None)
def test_overlap_is_that_of_counted_pixels(first, second):
    first, second = as_boxes(first), as_boxes(second)
    found = overlaps(first, second)
    for row, one in enumerate(first):
        for column, other in enumerate(second):
            assert found[row, column] == pytest.approx(slow_overlap(one, other))


@given(boxes, boxes)
@settings(max_examples=50, deadline=None)
def test_a_region_stands_for_one_cell_and_its_centre_lies_in_it(first, second):
    first, second = as_boxes(first), as_boxes(second)
    matches = match_by_centre(first, second)
    assert len({one.region for one in matches}) == len({one.cell for one in matches}) == len(matches)
    for one in matches:
        x, y = (first[one.region, :2] + first[one.region, 2:]) / 2
        box = second[one.cell]
        assert box[0] <= x <= box[2]
        assert box[1] <= y <= box[3]


def test_the_pair_that_overlaps_most_goes_first():
    cells = np.array([[0.0, 0, 20, 20], [10, 0, 30, 20]])
    found = np.array([[9.0, 0, 29, 20], [2.0, 0, 22, 20]])
    assert [(one.region, one.cell) for one in match_by_centre(found, cells)] == [(0, 1), (1, 0)]


def test_overlap_below_the_least_is_no_match():
    one, other = np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 0, 10, 20]])
    assert len(match_by_overlap(one, other, least=0.5)) == 1
    assert match_by_overlap(one, other, least=0.51) == []


def test_scores_of_a_hand_worked_case():
    marked = truth(
        ("a", 0, 0, 10, 10, "MMK"),
        ("a", 50, 50, 60, 60, "MMK"),
        ("b", 0, 0, 10, 10, "G-MK"),
        ("c", 0, 0, 9, 9, "x"),
    )
    found = regions(("a", 0, 0, 10, 20), ("a", 30, 30, 40, 40), ("b", 0, 0, 10, 10), ("d", 1, 1, 5, 5))
    told = scores(match_fields(found, marked, fields=["a", "b", "d"]), fields=3)
    # field a: centre (5, 10) is on the edge of the first cell: found, overlap 100 / 200; c is not scored
    assert (told["cells"], told["regions"]) == (3, 4)
    assert told["recall"] == pytest.approx(2 / 3)
    assert told["precision"] == pytest.approx(2 / 4)
    assert told["overlap"] == pytest.approx((0.5 + 1) / 2)
    assert told["kinds"] == {
        "MMK": {"cells": 2, "found": 1, "recall": 0.5}, "G-MK": {"cells": 1, "found": 1, "recall": 1.0}
    }  # fmt: skip


def test_nothing_found_in_nothing_has_no_scores():
    told = scores(match_fields(regions(), truth(), fields=["a"]), fields=1)
    assert (told["recall"], told["precision"], told["overlap"]) == (None, None, None)


LIST = """data,field,x0,y0,x1,y1,verdict,note
lab,a,30,30,40,40,missed,a cell
lab,a,50,50,60,60,false_box,a platelet
lab,b,0,0,10,10,unsure,smudge
other,a,1,1,2,2,missed,
"""


def test_corrections_add_missed_cells_and_take_false_and_unsure_ones_away(tmp_path):
    (tmp_path / "list.csv").write_text(LIST)
    wrong = read_corrections(tmp_path / "list.csv", data="lab")
    marked = truth(("a", 0, 0, 10, 10, "W"), ("a", 50, 50, 60, 60, "W"), ("b", 0, 0, 10, 10, "W"))
    right = corrected(marked, wrong, kind="added")
    assert right[[*BOX, "kind"]].to_numpy().tolist() == [
        ["a", 0, 0, 10, 10, "W"],
        ["a", 30, 30, 40, 40, "added"],
    ]
    found = regions(("b", 2, 2, 8, 8), ("a", 2, 2, 8, 8))
    assert without_unsure(found, wrong)["field"].tolist() == ["a"]


def test_a_false_box_that_nobody_marked_is_told(tmp_path):
    (tmp_path / "list.csv").write_text(LIST)
    wrong = read_corrections(tmp_path / "list.csv", data="lab")
    with pytest.raises(UserError, match="must be among the marks"):
        corrected(truth(("a", 0, 0, 10, 10, "W")), wrong, kind="added")


def test_an_unknown_verdict_is_told(tmp_path):
    (tmp_path / "list.csv").write_text(LIST.replace("unsure", "perhaps"))
    with pytest.raises(UserError, match="one is perhaps"):
        read_corrections(tmp_path / "list.csv", data="lab")
