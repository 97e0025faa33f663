"""No augmentation is the evaluation transform, and draws nothing."""

import torch
from PIL import Image
from timm.data import create_transform

from mk11.data.transforms.plain import Plain
from mk11.data.transforms.resize import resize_policy

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def plain():
    policy = resize_policy(name="short_side", image_size=64, target_um_per_pixel=None)
    return Plain(resize=policy, mean=MEAN, std=STD)


def test_it_is_timms_evaluation_transform_within_two_levels(cell):
    image = cell(0, 120, 90)
    timm = create_transform(64, interpolation="bicubic", crop_pct=0.875, mean=MEAN, std=STD)
    assert (plain()(image, float("nan")) - timm(Image.fromarray(image))).abs().max() < 2.01 / 255 / min(STD)


def test_it_is_the_same_every_time_and_leaves_the_generators_alone(cell, states):
    transform, image = plain(), cell(0, 80, 80)
    before = states()
    assert torch.equal(transform(image, float("nan")), transform(image, float("nan")))
    assert states() == before
