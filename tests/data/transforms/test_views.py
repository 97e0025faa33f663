"""BYOL's two views: the draws of the published pipeline, and its pictures within rounding."""

import random

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter, ImageOps
from torchvision import transforms as published

from mk11.data.transforms.resize import resize_policy
from mk11.data.transforms.views import TwoViews, bilinear, blurred, changed, happens, hue_turned

SIZE = 48
RECIPE = {
    "scale": (0.08, 1.0),
    "ratio": (3 / 4, 4 / 3),
    "jitter": 0.8,
    "brightness": 0.4,
    "contrast": 0.4,
    "saturation": 0.2,
    "hue": 0.1,
    "grey": 0.2,
    "blur": (1.0, 0.1),
    "blur_radius": (0.1, 2.0),
    "solarise": (0.0, 0.2),
    "hflip": 0.5,
}
NOTHING = {"jitter": 0.0, "grey": 0.0, "blur": (0.0, 0.0), "solarise": (0.0, 0.0), "hflip": 0.0}


def two_views(policy="short_side", size=SIZE, **other):
    resize = resize_policy(name=policy, image_size=size, target_um_per_pixel=0.5)
    return TwoViews(resize=resize, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), **RECIPE | other)


class PillowBlur:
    def __call__(self, picture):
        return picture.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2.0)))


def pipeline(blur, solarise):
    """One view as published: torchvision's transforms on Pillow images."""
    jitter = published.ColorJitter(0.4, 0.4, 0.2, 0.1)
    inverted = [published.RandomApply([ImageOps.solarize], p=solarise)] if solarise else []
    return published.Compose(
        [
            published.RandomResizedCrop(SIZE, scale=(0.08, 1.0)),
            published.RandomApply([jitter], p=0.8),
            published.RandomGrayscale(p=0.2),
            published.RandomApply([PillowBlur()], p=blur),
            *inverted,
            published.RandomHorizontalFlip(),
        ]
    )


PIPELINES = (pipeline(1.0, 0.0), pipeline(0.1, 0.2))


def distance(one, other):
    return np.abs(np.asarray(one).astype(int) - np.asarray(other))


def test_every_draw_is_that_of_the_published_pipeline(cell, seed_all, states):
    ours = two_views()
    for seed in range(80):
        image = cell(seed, 60 + 2 * seed, 210 - seed)
        seed_all(seed)
        ours(image, float("nan"))
        after = states()
        seed_all(seed)
        for chain in PIPELINES:
            chain(Image.fromarray(image))
        assert states() == after


def test_pictures_are_those_of_the_published_pipeline_within_rounding(cell, seed_all):
    ours, distances = two_views(), []
    for seed in range(80):
        image = cell(seed, 60 + 2 * seed, 210 - seed)
        seed_all(seed)
        mine = [ours.drawn(image, view) for view in ours.each]
        seed_all(seed)
        theirs = [chain(Image.fromarray(image)) for chain in PIPELINES]
        distances += [distance(one, other) for one, other in zip(mine, theirs, strict=True)]
    means = [levels.mean() for levels in distances]
    assert np.mean(means) < 1.3
    assert max(means) < 4
    assert np.percentile(np.stack(distances), 99) <= 6


def test_the_resize_is_that_of_pillow_within_a_level(cell):
    image = cell(3, 90, 130)
    for top, side in ((0, 90), (10, 40), (5, 17)):
        part = image[top : top + side, top : top + side]
        expected = Image.fromarray(part).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        assert distance(bilinear(part, (SIZE, SIZE)), expected).max() <= 1
    whole = image[:SIZE, :SIZE]
    assert np.array_equal(bilinear(whole, (SIZE, SIZE)), whole)


@pytest.mark.parametrize("radius", [0.1, 0.3, 0.7, 1.0, 1.5, 2.0])
def test_the_blur_is_that_of_pillow_within_a_level_on_average(cell, radius):
    image = cell(4, SIZE, SIZE)
    levels = distance(blurred(image, radius), Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))
    assert levels.mean() < 1
    assert levels.max() <= 8


def test_a_blur_spreads_by_its_radius():
    point = np.zeros((31, 31, 3), np.uint8)
    point[15, 15] = 255
    weights = blurred(point, 1.5)[..., 0].astype(float)
    across = weights.sum(axis=0) / weights.sum()
    assert np.sqrt(across @ (np.arange(31) - 15.0) ** 2) == pytest.approx(1.5, rel=0.1)


@pytest.mark.parametrize("turn", [-0.1, -0.03, 0.0, 0.05, 0.1])
def test_hue_turns_as_in_pillow(cell, turn):
    image = cell(5, SIZE, SIZE)
    expected = published.functional.adjust_hue(Image.fromarray(image), turn)
    assert distance(hue_turned(image, turn), expected).mean() < 1


def test_a_third_of_the_circle_makes_red_green_and_green_blue():
    red, green, blue = np.eye(3, dtype=np.uint8) * 255
    turned = hue_turned(np.stack([red, green, blue])[None], 1 / 3)
    assert distance(turned, np.stack([green, blue, red])[None]).max() <= 1


ADJUST = ("adjust_brightness", "adjust_contrast", "adjust_saturation", "adjust_hue")


@pytest.mark.parametrize(("change", "factor"), [(0, 0.7), (0, 1.3), (1, 0.6), (1, 1.4), (2, 0.8), (2, 1.2)])
def test_each_change_of_colour_is_that_of_torchvision_within_two_levels(cell, change, factor):
    image = cell(6, SIZE, SIZE)
    expected = getattr(published.functional, ADJUST[change])(Image.fromarray(image), factor)
    assert distance(changed(image, change, factor), expected).max() <= 2


def test_the_first_view_is_always_blurred_and_never_solarised(cell, monkeypatch, seed_all):
    ours, calls = two_views(**NOTHING | {"blur": (1.0, 0.0), "solarise": (0.0, 1.0)}), []
    monkeypatch.setattr("mk11.data.transforms.views.blurred", lambda *_: calls.append(1) or _[0])
    image = np.full((SIZE, SIZE, 3), 200, np.uint8)
    for seed in range(5):
        seed_all(seed)
        first, second = ours(image, float("nan")).mul(255).round()
        assert first.unique().tolist() == [200]
        assert second.unique().tolist() == [55]  # 255 - 200
    assert len(calls) == 5


def test_levels_below_128_are_not_inverted(seed_all):
    seed_all(0)
    ours = two_views(**NOTHING | {"solarise": (1.0, 1.0)}, scale=(1.0, 1.0), ratio=(1.0, 1.0), size=16)
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = np.repeat(levels[..., None], 3, axis=2)
    expected = [level if level < 128 else 255 - level for level in range(256)]
    assert ours(image, float("nan"))[0, 0].mul(255).round().flatten().tolist() == expected


def test_views_of_one_image_are_drawn_apart_and_come_first_view_first(cell, seed_all):
    seed_all(1)
    views = two_views()(cell(7, 60, 80), float("nan"))
    assert views.shape == (2, 3, SIZE, SIZE)
    assert TwoViews.views == 2
    assert not torch.equal(views[0], views[1])


def test_equal_seeds_give_equal_views(cell, seed_all):
    ours, image, drawn = two_views(), cell(8, 60, 80), []
    for seed in (0, 1, 0):
        seed_all(seed)
        drawn.append(ours(image, float("nan")))
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])


def test_strengths_of_zero_change_no_colour(cell):
    still = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
    ours = two_views(jitter=1.0, **still)
    image = cell(9, SIZE, SIZE)
    assert np.array_equal(ours.recoloured(image), image)
    assert not np.array_equal(two_views().recoloured(image), image)


def test_grey_pictures_have_three_equal_channels(cell, seed_all):
    seed_all(0)
    views = two_views(grey=1.0)(cell(10, 60, 80), float("nan"))
    assert torch.equal(views[:, 0], views[:, 1])
    assert torch.equal(views[:, 1], views[:, 2])


def test_with_a_fixed_scale_views_are_cut_from_the_cell_at_its_scale(seed_all):
    """A small cell does not fill the field of view: its crops hold what is around it."""
    image = np.full((24, 24, 3), 230, np.uint8)
    cv2.circle(image, (12, 12), 8, (90, 40, 140), -1)
    seed_all(0)
    whole = {"scale": (1.0, 1.0), "ratio": (1.0, 1.0)}
    scaled = two_views("fixed_scale", **NOTHING, **whole)(image, 0.5)[0]
    filled = two_views("short_side", **NOTHING, **whole)(image, 0.5)[0]
    dark = [(view < 0.5).float().mean().item() for view in (scaled, filled)]
    assert dark[1] == pytest.approx(4 * dark[0], rel=0.2)


def test_an_event_happens_as_often_as_its_probability_says(seed_all):
    seed_all(0)
    assert np.mean([happens(0.3) for _ in range(2000)]) == pytest.approx(0.3, abs=0.03)
    assert not any(happens(0.0) for _ in range(50))
    assert all(happens(1.0) for _ in range(50))
