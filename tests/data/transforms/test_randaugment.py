"""RandAugment's operations on arrays against timm's own on Pillow images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from timm.data.auto_augment import rand_augment_transform

from mk11.data.transforms.randaugment import cubic_weights, on_arrays, posterize, shift_rows

SETTINGS = {"img_mean": (124, 116, 104), "interpolation": Image.Resampling.BICUBIC}
RECIPE = "rand-m9-mstd0.5-inc1"
FILTERED = {"ShearX", "ShearY", "TranslateXRel", "TranslateYRel"}


def operations(recipe=RECIPE):
    ours = on_arrays(rand_augment_transform(recipe, dict(SETTINGS))).ops
    theirs = rand_augment_transform(recipe, dict(SETTINGS)).ops
    return {mine.name: (mine, reference) for mine, reference in zip(ours, theirs, strict=True)}


@pytest.mark.parametrize("name", sorted(operations()))
def test_each_operation_equals_timm(name, cell, seed_all):
    mine, reference = operations()[name]
    mine.prob = reference.prob = 1.0
    differing = []
    for seed in range(40):
        image = cell(seed, 50 + seed, 88 - seed)
        seed_all(seed)
        if name.startswith("Posterize"):
            reference.aug_fn = posterize
        expected = np.array(reference(Image.fromarray(image))).astype(int)
        seed_all(seed)
        distance = np.abs(mine(image) - expected)
        assert distance.max() <= (1 if name in FILTERED else 0)
        differing.append((distance > 0).mean())
    assert np.mean(differing) < 1e-3


@pytest.mark.parametrize("recipe", ["rand-m9-mstd0.5-inc1", "rand-m9-mstd0.5"])
def test_every_operation_of_both_lists_runs_on_arrays(recipe, cell, seed_all):
    seed_all(0)
    image = cell(0, 20, 24)
    for mine, _ in operations(recipe).values():
        mine.prob = 1.0
        assert mine(image).shape == image.shape


def test_posterize_survives_20000_draws_and_meets_0_bits_among_them(seed_all):
    seed_all(0)
    mine, _ = operations()["PosterizeIncreasing"]
    mine.prob = 1.0
    image = np.full((4, 4, 3), 255, np.uint8)
    brightest = np.array([mine(image).max() for _ in range(20_000)])
    assert set(brightest) <= {0, 0b10000000, 0b11000000}  # 0, 1 or 2 bits
    assert (brightest == 0).sum() > 100


def test_pillow_itself_still_refuses_0_bits():
    """The day this passes no longer, the guard can go."""
    from timm.data import auto_augment

    with pytest.raises(ValueError, match="bits"):
        auto_augment.posterize(Image.new("RGB", (2, 2)), 0)


@given(part=st.floats(0, 1, exclude_max=True))
def test_the_four_taps_add_up_to_one_and_mirror_each_other(part):
    weights = cubic_weights(np.array([part, 1 - part]))[..., 0]
    assert weights.sum(axis=0) == pytest.approx(1, abs=1e-6)
    assert weights[:, 0] == pytest.approx(weights[::-1, 1], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(shift=st.floats(-30, 30), seed=st.integers(0, 99))
def test_moving_rows_equals_pillow_within_one_level_for_any_shift(shift, seed):
    image = np.random.default_rng(seed).integers(0, 256, (9, 21, 3), dtype=np.uint8)
    moved = shift_rows(image, np.full(9, shift), (1, 2, 3)).astype(int)
    affine = (1, 0, shift, 0, 1, 0)
    expected = Image.fromarray(image).transform(
        (21, 9), Image.Transform.AFFINE, affine, resample=Image.Resampling.BICUBIC, fillcolor=(1, 2, 3)
    )
    assert np.abs(moved - np.array(expected)).max() <= 1


def test_a_whole_shift_copies_pixels_and_fills_the_rest():
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    moved = shift_rows(image, np.full(4, 2.0), (9, 9, 9))
    assert np.array_equal(moved[:, :4], image[:, 2:])
    assert (moved[:, 4:] == 9).all()
