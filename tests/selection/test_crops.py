"""Crops of regions: their boxes, margins and scale."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mk11.errors import UserError
from mk11.selection.crops import CropShape
from mk11.selection.regions import Region


def region(x0, y0, x1, y1):
    return Region(x0, y0, x1, y1, 1, 1.0, 0.0, 0.0, 0.0, False, "")


def shape(**changes):
    return CropShape(**({"margin": 0.0, "square": False, "target_um_per_pixel": None} | changes))


def test_without_margin_the_crop_is_the_box():
    assert shape().box(region(3, 5, 13, 9), width=40, height=30) == (3, 5, 13, 9)


def test_a_margin_is_a_share_of_the_longer_side():
    assert shape(margin=0.5).box(region(20, 20, 30, 24), width=60, height=60) == (15, 15, 35, 29)


def test_a_square_has_the_longer_side_about_the_same_centre():
    assert shape(square=True).box(region(20, 20, 30, 24), width=60, height=60) == (20, 17, 30, 27)


def test_near_the_edge_a_crop_is_shifted_inwards():
    assert shape(square=True).box(region(0, 0, 4, 10), width=60, height=60) == (0, 0, 10, 10)
    assert shape(margin=0.5).box(region(50, 50, 60, 60), width=60, height=60) == (40, 40, 60, 60)


def test_a_field_smaller_than_the_crop_is_taken_whole():
    assert shape(margin=2.0).box(region(2, 2, 8, 8), width=10, height=12) == (0, 0, 10, 12)


SIDES = st.tuples(st.integers(0, 38), st.integers(0, 28), st.integers(1, 40), st.integers(1, 30))


@given(SIDES, st.floats(0, 3), st.booleans())
def test_crops_lie_in_the_field_and_hold_their_region(sides, margin, square):
    x0, y0, wide, high = sides
    found = region(x0, y0, min(x0 + wide, 40), min(y0 + high, 30))
    left, top, right, bottom = shape(margin=margin, square=square).box(found, width=40, height=30)
    assert 0 <= left <= found.x0
    assert found.x1 <= right <= 40
    assert top >= 0
    assert bottom <= 30
    if not square or right - left < 30:  # a square is cut to the field's height
        assert top <= found.y0
        assert found.y1 <= bottom


def test_a_cut_is_the_fields_own_pixels():
    image = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    pixels, scale = shape().cut(image, (4, 2, 9, 12), um_per_pixel=0.25)
    assert np.array_equal(pixels, image[2:12, 4:9])
    assert scale == 0.25


def test_crops_are_resampled_to_one_scale():
    image = np.full((40, 60, 3), 90, np.uint8)
    for scale, side in ((0.25, 10), (1.0, 40)):
        pixels, told = shape(target_um_per_pixel=0.5).cut(image, (0, 0, 20, 20), um_per_pixel=scale)
        assert pixels.shape == (side, side, 3)
        assert told == 0.5
        assert (pixels == 90).all()


def test_a_target_needs_the_fields_scale():
    with pytest.raises(UserError, match=r"crop\.target_um_per_pixel must be null where .* is unknown"):
        shape(target_um_per_pixel=0.5).cut(np.zeros((9, 9, 3), np.uint8), (0, 0, 5, 5), um_per_pixel=None)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"margin": -0.1}, r"crop\.margin must be a number of at least 0, but is -0\.1"),
        ({"square": "yes"}, r"crop\.square must be one of true, false, but is yes"),
        ({"target_um_per_pixel": 0}, r"crop\.target_um_per_pixel must be a number above 0"),
    ],
)
def test_a_wrong_value_is_told(changes, told):
    with pytest.raises(UserError, match=told):
        shape(**changes)
