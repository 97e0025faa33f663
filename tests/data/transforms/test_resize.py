"""Resize policies: the published evaluation, and micrometres kept."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from timm.data import create_transform

from mk11.data.transforms.resize import FixedScale, ShortSide, bicubic, require_scale, resize_policy
from mk11.errors import UserError


def disc(side: int, radius: float, value: int = 40) -> np.ndarray:
    """A dark disc on a bright ground, its edge smoothed over a pixel."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    inside = np.clip(radius - np.hypot(x, y) + 0.5, 0, 1)[..., None]
    return (230 + (value - 230) * inside).round().astype(np.uint8).repeat(3, axis=2)


def dark_area(image: np.ndarray) -> float:
    """Pixels covered by the disc, parts of pixels included."""
    return float(((230 - image[..., 0].astype(float)) / (230 - 40)).sum())


def fixed(image_size=96, target=0.25):
    return FixedScale(image_size=image_size, target_um_per_pixel=target)


def test_bicubic_is_pillows_but_for_rounding(cell):
    for seed in range(40):
        image = cell(seed, 40 + 3 * seed, 170 - 2 * seed)
        expected = Image.fromarray(image).resize((64, 80), Image.Resampling.BICUBIC)
        distance = np.abs(bicubic(image, (80, 64)).astype(int) - np.array(expected))
        assert distance.max() <= 2
        assert (distance > 1).mean() < 1e-3


def test_bicubic_reads_a_part_of_a_read_only_image(cell):
    image = cell(0, 60, 60)
    image.flags.writeable = False
    assert np.array_equal(bicubic(image[5:45, 10:50], (40, 40)), image[5:45, 10:50])
    assert bicubic(image[5:45, 10:50], (20, 20)).shape == (20, 20, 3)


@pytest.mark.parametrize(("height", "width"), [(300, 300), (301, 260), (97, 288), (500, 333)])
def test_short_side_is_the_published_evaluation_within_two_levels(height, width, cell):
    image = cell(1, height, width)
    timm = create_transform(224, is_training=False, interpolation="bicubic", crop_pct=0.875, normalize=False)
    ours = ShortSide(image_size=224, crop_fraction=0.875)(image, math.nan)
    theirs = timm(Image.fromarray(image)).permute(1, 2, 0).numpy()
    distance = np.abs(ours.astype(int) - theirs)
    assert distance.max() <= 2
    assert (distance > 1).mean() < 1e-3


@settings(max_examples=50, deadline=None)
@given(height=st.integers(5, 130), width=st.integers(5, 130), size=st.sampled_from([16, 31, 64]))
def test_both_policies_give_the_asked_size_for_any_image(height, width, size):
    image = np.full((height, width, 3), 200, np.uint8)
    assert ShortSide(image_size=size, crop_fraction=0.875)(image, math.nan).shape == (size, size, 3)
    assert fixed(size)(image, 0.3).shape == (size, size, 3)


@settings(max_examples=50, deadline=None)
@given(height=st.integers(5, 130), width=st.integers(5, 130))
def test_an_image_at_its_own_scale_is_copied_to_the_centre(height, width):
    image = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    result = fixed(64)(image, 0.25)
    top, left = (64 - height) // 2, (64 - width) // 2
    seen = image[max(-top, 0) : 64 - top, max(-left, 0) : 64 - left]
    placed = result[max(top, 0) : max(top, 0) + len(seen), max(left, 0) : max(left, 0) + seen.shape[1]]
    assert np.array_equal(placed, seen)


@pytest.mark.parametrize("um_per_pixel", [0.0625, 0.1, 0.18, 0.25, 0.4])
def test_a_cell_keeps_its_area_in_micrometres_whatever_the_scanner(um_per_pixel):
    radius_um = 5.0
    image = disc(round(16 / um_per_pixel), radius_um / um_per_pixel)
    area = dark_area(fixed()(image, um_per_pixel)) * 0.25**2
    assert area == pytest.approx(math.pi * radius_um**2, rel=0.02)


def test_short_side_gives_that_area_away():
    small, large = (dark_area(ShortSide(image_size=96, crop_fraction=1.0)(disc(side, side / 4), 0.25))
                    for side in (60, 120))  # fmt: skip
    assert small == pytest.approx(large, rel=0.02)


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 200.0])
@pytest.mark.parametrize("zoom", [0.9, 1.0, 1.1])
def test_turns_keep_the_area_and_zoom_changes_it_by_its_square(angle, zoom):
    turned = fixed()(disc(80, 20), 0.25, zoom=zoom, angle=angle)
    assert dark_area(turned) == pytest.approx(math.pi * 400 * zoom**2, rel=0.02)


def test_turn_flip_and_shift_go_where_they_say():
    image = np.full((40, 40, 3), 230, np.uint8)
    image[18:22, 30:34] = 40  # right of the centre

    def centre(**how):
        y, x = np.nonzero(fixed(40)(image, 0.25, **how)[..., 0] < 135)
        return round(float(x.mean())), round(float(y.mean()))

    assert centre() == (32, 20)
    assert centre(angle=90.0)[1] < 10  # counter-clockwise: up
    assert centre(flip=True)[0] < 10
    assert centre(flip=True, angle=90.0)[1] > 30  # mirrored first, then turned: down
    assert centre(shift=(-4.0, 3.0)) == (28, 22) or centre(shift=(-4.0, 3.0)) == (28, 23)


def test_stripes_too_fine_for_the_result_become_even_grey():
    image = np.zeros((200, 200, 3), np.uint8)
    image[:, ::2] = 255
    inner = fixed(40)(image, 0.0625)[8:32, 8:32]
    assert np.abs(inner.astype(int) - 127).max() <= 6
    assert (image[::4, ::4] == 255).all()  # what reading every fourth pixel would give


def test_the_rest_is_the_background():
    assert (fixed(96)(disc(40, 12), 0.25)[:20] == 230).all()


def test_an_unknown_scale_names_the_key_and_an_image():
    table = pd.DataFrame({"id": ["a.png", "b.png", "c.png"], "um_per_pixel": [0.25, math.nan, math.nan]})
    with pytest.raises(UserError, match=r"data\.um_per_pixel must be given.*2 of 3 images.*such as b\.png"):
        require_scale(fixed(), table)
    require_scale(fixed(), table[:1])
    require_scale(ShortSide(image_size=8, crop_fraction=1.0), table)


def test_fixed_scale_without_a_target_names_the_key():
    for target in (None, 0.0, -1.0, math.nan):
        with pytest.raises(UserError, match=r"data\.target_um_per_pixel must be above 0"):
            resize_policy(name="fixed_scale", image_size=32, target_um_per_pixel=target)


def test_another_policy_is_refused_by_name():
    with pytest.raises(UserError, match=r"data\.resize must be short_side or fixed_scale, but is squash"):
        resize_policy(name="squash", image_size=32, target_um_per_pixel=None)
