import numpy as np
import pytest

from mk11.errors import UserError
from mk11.selection.filters.hsv import HsvRange, in_any, to_hsv
from mk11.selection.filters.illumination import (
    WHITE,
    flat_field,
    grey_world,
    ground_and_stain,
    white_point,
)

PURPLE = np.array([[112, 48, 160]], np.uint8)  # the purple of office palettes: 274 degrees, 70 % , 160


def test_a_known_purple_is_read_as_rgb_in_half_degrees():
    assert to_hsv(PURPLE).tolist() == [[137, 179, 160]]
    assert to_hsv(PURPLE[:, ::-1]).tolist() != [[137, 179, 160]]


def test_the_papers_purple_holds_it_and_a_pink_not():
    purple = HsvRange(hue=[30, 140], saturation=[100, 255], value=[0, 255])
    pink = np.array([[220, 150, 160]], np.uint8)
    assert in_any(np.concatenate([PURPLE, pink]), [purple]).tolist() == [True, False]


def test_both_ends_of_a_range_belong_to_it():
    h, s, v = to_hsv(PURPLE)[0].tolist()
    assert in_any(PURPLE, [HsvRange(hue=[h, h], saturation=[s, s], value=[v, v])]).all()
    assert not in_any(PURPLE, [HsvRange(hue=[h + 1, 179], saturation=[s, s], value=[v, v])]).any()


def test_hue_in_degrees_is_refused():
    with pytest.raises(UserError, match=r"hue must be .* within 0-179"):
        HsvRange(hue=[60, 280], saturation=[0, 255], value=[0, 255])


def tinted(light=(1.0, 0.9, 0.8)):
    """Grey ground with a darker square, under coloured light."""
    scene = np.full((40, 60, 3), 200.0)
    scene[10:20, 10:20] = (120, 60, 110)
    return np.rint(scene * light).astype(np.uint8)


def test_grey_world_makes_the_means_of_the_channels_equal():
    means = [plane.mean() for plane in grey_world(tinted())]
    assert np.ptp(means) < 1.0


def test_the_white_point_undoes_the_colour_of_the_light():
    one, other = (np.dstack(white_point(tinted(light))) for light in ((1.0, 0.9, 0.8), (0.7, 0.8, 1.0)))
    assert (one[0, 0] == WHITE).all()
    assert np.abs(one.astype(int) - other).max() <= 2


def test_ground_and_stain_are_the_two_colours_of_the_field():
    ground, stain = ground_and_stain(tinted((1, 1, 1)))
    assert ground.tolist() == [200, 200, 200]
    assert stain.tolist() == [120, 60, 110]


def test_few_dark_nuclei_do_not_make_red_cells_ground():
    field = np.full((100, 100, 3), 230, np.uint8)
    field[:40] = (190, 150, 160)
    field[:12, :12] = (60, 20, 90)
    ground, stain = ground_and_stain(field)
    assert ground.tolist() == [230] * 3
    assert stain.tolist() == [190, 150, 160]


def test_a_field_of_one_colour_is_all_ground():
    ground, stain = ground_and_stain(np.full((5, 5, 3), 90, np.uint8))
    assert ground.tolist() == stain.tolist() == [90] * 3


def test_flat_field_evens_a_slope_of_light():
    slope = np.linspace(0.6, 1.0, 400)[None, :, None]
    field = np.rint(np.full((300, 400, 3), 220) * slope).astype(np.uint8)
    field[100:110, 100:110] = 60
    even = np.dstack(flat_field(field))
    assert np.ptp(field[0, :, 0].astype(int)) > 80
    assert np.ptp(even[0, 20:-20, 0].astype(int)) < 20
    assert even[105, 105, 0] < 120
