"""Random resized crops for pre-training."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from timm.data import create_transform

from mk11.data.transforms.crop import Crop, RandomResizedCrop
from mk11.data.transforms.resize import resize_policy

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ONE_LEVEL = 1.01 / 255 / min(STD)
RATIO = (3 / 4, 4 / 3)
SIZE = 64
CONF = Path(__file__).resolve().parents[3] / "conf"


def crop(resize="short_side", **changed):
    policy = resize_policy(name=resize, image_size=SIZE, target_um_per_pixel=0.25)
    settings = {"scale": (0.2, 1.0), "ratio": RATIO, "hflip": 0.5} | changed
    return Crop(resize=policy, mean=MEAN, std=STD, **settings)


def test_short_side_crops_equal_timms_draw_for_draw(cell, seed_all, states):
    ours = crop()
    theirs = create_transform(
        SIZE,
        is_training=True,
        scale=(0.2, 1.0),
        ratio=RATIO,
        hflip=0.5,
        color_jitter=None,
        interpolation="bicubic",
        mean=MEAN,
        std=STD,
    )
    distances = []
    for seed in range(60):
        image = cell(seed, 60 + seed, 150 - seed)
        seed_all(seed)
        mine, after = ours(image, float("nan")), states()
        seed_all(seed)
        distances.append((mine - theirs(Image.fromarray(image))).abs().flatten())
        assert states() == after
    distance = torch.cat(distances)
    assert distance.max() <= 2 * ONE_LEVEL
    assert (distance > 1e-6).float().mean() < 0.05


def test_fixed_scale_crops_are_cut_from_the_cell_at_its_scale(cell, seed_all):
    """With nothing cut off and no mirror image, the picture is the policy's own."""
    whole = crop("fixed_scale", scale=(1.0, 1.0), ratio=(1.0, 1.0), hflip=0.0)
    image = cell(0, 50, 90)
    expected = whole.normalise(whole.resize(image, 0.3))
    seed_all(0)
    assert torch.equal(whole(image, 0.3), expected)


def test_fixed_scale_never_zooms_beyond_the_smallest_crop(seed_all):
    """A disc of 20 pixels' diameter grows to at most sqrt(5) times that, and never shrinks."""
    rows, columns = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    disc = np.where((rows**2 + columns**2 < 100)[..., None], 0, 255).astype(np.uint8).repeat(3, axis=2)
    zoomed = crop("fixed_scale", ratio=(1.0, 1.0))
    for seed in range(40):
        seed_all(seed)
        area = (zoomed(disc, 0.25)[0] < 0).sum().item()
        assert area <= 5.3 * np.pi * 100


@pytest.mark.parametrize(("hflip", "mirrored"), [(0.0, False), (1.0, True)])
def test_mirror_images_come_with_their_probability(cell, hflip, mirrored):
    image = cell(3, SIZE, SIZE)
    image[:, :5] = 0  # left and right differ
    whole = RandomResizedCrop(size=SIZE, scale=(1.0, 1.0), ratio=(1.0, 1.0), hflip=hflip)
    assert np.array_equal(whole(image), image[:, ::-1] if mirrored else image)


def test_the_config_is_maes():
    config = OmegaConf.load(CONF / "augment" / "mae.yaml")
    assert {key for key in config if not key.startswith("_")} | {"resize"} == set(
        inspect.signature(Crop).parameters
    )
    assert (list(config.scale), list(config.ratio), config.hflip) == ([0.2, 1.0], list(RATIO), 0.5)


def test_the_config_follows_the_methods_crop_scale():
    config = OmegaConf.create(
        {"crop_scale": [0.08, 1.0], "augment": OmegaConf.load(CONF / "augment/mae.yaml")}
    )
    assert list(config.augment.scale) == [0.08, 1.0]
