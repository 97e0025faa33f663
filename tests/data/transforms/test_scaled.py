"""Augmentation at a fixed scale: everything but the size may change."""

import math

import numpy as np
import pytest
import torch

from mk11.data.transforms.resize import resize_policy
from mk11.data.transforms.scaled import Scaled
from mk11.errors import UserError

UNIT = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
STRENGTH = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0}


def scaled(**changed):
    policy = resize_policy(name="fixed_scale", image_size=64, target_um_per_pixel=0.25)
    return Scaled(resize=policy, **UNIT, **STRENGTH | {"zoom": (0.9, 1.1), "shift": 0.05} | changed)


def off_centre_disc():
    y, x = np.mgrid[:64, :64]
    inside = np.hypot(x - 40, y - 31.5) < 10
    return np.where(inside[..., None], 40, 230).astype(np.uint8).repeat(3, axis=2)


def dark_pixels(image):
    return (image[0] * 255 < 135).nonzero().float()


def test_the_area_stays_within_the_square_of_the_zoom(seed_all):
    seed_all(0)
    transform, area = scaled(), math.pi * 100
    areas = [len(dark_pixels(transform(off_centre_disc(), 0.25))) for _ in range(100)]
    assert 0.9**2 * area - 12 <= min(areas) < 0.9 * area
    assert 1.1 * area < max(areas) <= 1.1**2 * area + 12


def test_the_cell_turns_all_around_and_shifts_by_at_most_its_share(seed_all):
    seed_all(0)
    transform = scaled(zoom=(1.0, 1.0))
    centres = (
        torch.stack([dark_pixels(transform(off_centre_disc(), 0.25)).mean(0) for _ in range(200)]) - 31.5
    )
    distance = centres.norm(dim=1)
    assert distance.min() > 8.5 - 0.05 * 64 * math.sqrt(2) - 0.5
    assert distance.max() < 8.5 + 0.05 * 64 * math.sqrt(2) + 0.5
    assert len({(bool(y > 0), bool(x > 0)) for y, x in centres}) == 4


def test_two_draws_differ(seed_all):
    seed_all(0)
    transform = scaled()
    assert not torch.equal(transform(off_centre_disc(), 0.25), transform(off_centre_disc(), 0.25))


def test_short_side_is_refused_with_the_reason():
    policy = resize_policy(name="short_side", image_size=64, target_um_per_pixel=None)
    with pytest.raises(
        UserError, match=r"augment=scaled needs data\.resize=fixed_scale.*given up the micrometres"
    ):
        Scaled(resize=policy, **UNIT, **STRENGTH, zoom=(0.9, 1.1), shift=0.05)
