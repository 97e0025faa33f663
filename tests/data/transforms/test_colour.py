"""Colour jitter in one affine map against the three steps it stands for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mk11.data.transforms.colour import LUMA, change_colour, colour_jitter

FACTOR = st.floats(0.8, 1.2)


def three_steps(image, brightness, contrast, saturation):
    """Brightness, contrast about the mean grey, saturation about each pixel's grey; no rounding between."""
    bright = brightness * image.astype(float)
    mean = (bright @ LUMA).mean()
    contrasted = mean + contrast * (bright - mean)
    grey = (contrasted @ LUMA)[..., None]
    return np.clip(grey + saturation * (contrasted - grey), 0, 255)


@settings(max_examples=40, deadline=None)
@given(brightness=FACTOR, contrast=FACTOR, saturation=FACTOR)
def test_one_pass_equals_three_steps_within_one_level(brightness, contrast, saturation):
    image = np.random.default_rng(0).integers(0, 256, (11, 13, 3), dtype=np.uint8)
    changed = change_colour(image, brightness, contrast, saturation)
    expected = three_steps(image, brightness, contrast, saturation)
    assert np.abs(changed - expected).max() <= 0.9


def test_strength_0_changes_nothing(cell):
    image = cell(0, 20, 20)
    assert np.array_equal(colour_jitter(image, brightness=0, contrast=0, saturation=0), image)


def test_without_saturation_it_is_grey(cell):
    grey = change_colour(cell(0, 20, 20), 1.0, 1.0, 0.0)
    assert (grey == grey[..., :1]).all()


def test_draws_stay_within_the_strength(seed_all):
    seed_all(0)
    image = np.full((4, 4, 3), 100, np.uint8)
    means = [colour_jitter(image, brightness=0.1, contrast=0.1, saturation=0.1).mean() for _ in range(300)]
    assert min(means) == pytest.approx(90, abs=1)
    assert max(means) == pytest.approx(110, abs=1)
