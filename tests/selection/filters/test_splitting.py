import numpy as np
import pytest

from mk11.selection.filters.splitting import split_touching


def discs(*centres, radius=20, side=(80, 140)):
    rows, columns = np.ogrid[: side[0], : side[1]]
    return np.logical_or.reduce([(rows - y) ** 2 + (columns - x) ** 2 <= radius**2 for y, x in centres])


def split(pixels):
    return split_touching(pixels, neck=0.8, radius=10.0)


@pytest.mark.parametrize("apart", [34, 36, 40])
def test_touching_discs_come_apart_midway(apart):
    labels = split(discs((40, 40), (40, 40 + apart)))
    assert labels.max() == 2
    assert labels[40, 40] != labels[40, 40 + apart]
    sizes = [(labels == number).sum() for number in (1, 2)]
    assert abs(sizes[0] - sizes[1]) < 0.05 * sum(sizes)


def test_three_in_a_row_come_apart():
    assert split(discs((40, 22), (40, 60), (40, 98))).max() == 3


def test_a_disc_and_a_lobed_cell_stay_whole():
    assert split(discs((40, 40))).max() == 1
    assert split(discs((40, 40), (40, 55))).max() == 1


def test_a_small_appendage_is_no_cell():
    assert split(discs((40, 40)) | discs((40, 65), radius=6)).max() == 1


def test_all_pixels_of_the_region_and_no_others_are_numbered():
    pixels = discs((40, 40), (40, 78))
    assert ((split(pixels) > 0) == pixels).all()


def test_a_region_that_fills_its_box_is_one():
    assert split(np.ones((50, 50), bool)).max() == 1
