"""Which regions may be selected for a fold."""

import pandas as pd
import pytest

from mk11.data.fold_table import HeldOut
from mk11.selection.screening import screened

HELD_OUT = HeldOut(frozenset({"test-image"}), frozenset({"P9"}), 0)
FAR = ["00" * 18, "ff" * 18, "0f" * 18, "f0" * 18]  # 72 bits and more apart


def regions(**columns):
    count = len(columns["crop_hash"])
    rest = {"group": [""] * count, "perceptual_hash": FAR[:count], "field_hash": ["f"] * count}
    return pd.DataFrame(rest | columns)


def test_regions_of_held_out_patients_may_not_be_selected():
    table = regions(crop_hash=["a", "b", "c"], group=["P9", "P1", ""])
    assert screened(table, HELD_OUT, radius=0).tolist() == ["held-out patient", "", ""]


def test_a_region_that_is_a_held_out_image_may_not_be_selected():
    assert screened(regions(crop_hash=["test-image", "b"]), HELD_OUT, radius=None).tolist() == [
        "held-out image",
        "",
    ]


def test_of_crops_of_one_cell_the_first_by_content_is_kept():
    near = "01" + "00" * 17
    table = regions(crop_hash=["b", "a", "c"], perceptual_hash=[FAR[0], near, FAR[1]])
    assert screened(table, HELD_OUT, radius=1).tolist() == ["duplicate", "", ""]
    assert screened(table, HELD_OUT, radius=0).tolist() == ["", "", ""]
    assert screened(table, HELD_OUT, radius=None).tolist() == ["", "", ""]


@pytest.mark.parametrize("radius", [0, None])
def test_equal_crops_are_one_whatever_the_radius(radius):
    table = regions(crop_hash=["a", "a"], perceptual_hash=[FAR[0]] * 2, field_hash=["g", "f"])
    assert sorted(screened(table, HELD_OUT, radius=radius)) == ["", "duplicate"]


def test_held_out_regions_take_no_ones_place():
    table = regions(crop_hash=["a", "b"], perceptual_hash=[FAR[0]] * 2, group=["P9", "P1"])
    assert screened(table, HELD_OUT, radius=0).tolist() == ["held-out patient", ""]


def test_rows_may_have_any_index():
    table = regions(crop_hash=["a", "a", "c"], perceptual_hash=[FAR[0]] * 2 + [FAR[1]]).set_axis([7, 3, 5])
    reasons = screened(table, HELD_OUT, radius=0)
    assert sorted(reasons.loc[[7, 3]]) == ["", "duplicate"]
    assert reasons[5] == ""
