"""The background is read off the border, cells or not."""

import numpy as np
import pytest

from mk11.data.transforms.background import background_colour


def glass(colour, noise=3):
    generator = np.random.default_rng(0)
    return np.clip(np.array(colour) + generator.normal(0, noise, (60, 60, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("colour", [(228, 216, 224), (250, 245, 160), (140, 147, 140)])
def test_an_even_ground_is_found_within_noise(colour):
    assert background_colour(glass(colour)) == pytest.approx(colour, abs=1)


def test_neighbours_over_half_of_the_border_do_not_tint_it():
    image = glass((228, 216, 224))
    cells = np.random.default_rng(1).uniform(120, 190, (60, 60, 1)) * np.array([1, 0.8, 1])
    image[:, :12] = cells[:, :12]  # both sides and four tenths of top and bottom: seven tenths of the border
    image[:, -12:] = cells[:, -12:]
    assert background_colour(image) == pytest.approx((228, 216, 224), abs=1)


def test_a_black_ground_stays_black_where_the_cell_is_cut_off():
    image = np.zeros((60, 60, 3), np.uint8)
    image[20:60, 15:50] = glass((150, 80, 160))[:40, :35]
    assert background_colour(image) == (0, 0, 0)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 9, 3), (4, 4, 3), (5, 7, 3)])
def test_tiny_images_have_one_too(shape):
    assert background_colour(np.full(shape, 77, np.uint8)) == (77, 77, 77)
