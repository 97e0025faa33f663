"""Images as patches, and patches as targets."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mk11.ssl.patches import (
    denormalise_patches,
    normalise_patches,
    patch_statistics,
    patchify,
    unpatchify,
)

grids = st.tuples(st.integers(1, 5), st.integers(1, 5))


def picture(grid, patch, *, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 3, grid[0] * patch, grid[1] * patch, generator=generator)


@given(grid=grids, patch=st.integers(1, 6), batch=st.integers(1, 3))
def test_patches_put_together_are_the_image(grid, patch, batch):
    image = picture(grid, patch, batch=batch)
    assert torch.equal(unpatchify(patchify(image, patch), patch, grid), image)


@given(grid=grids, patch=st.integers(1, 4))
def test_patches_run_by_row_and_their_channels_fastest(grid, patch):
    image, (rows, columns) = picture(grid, patch), grid
    expected = [
        [
            [
                image[number, channel, row * patch + y, column * patch + x]
                for y in range(patch)
                for x in range(patch)
                for channel in range(3)
            ]
            for row in range(rows)
            for column in range(columns)
        ]
        for number in range(len(image))
    ]
    assert torch.equal(patchify(image, patch), torch.tensor(expected))


def test_normalised_patches_equal_the_formula_in_float64():
    target = patchify(picture((3, 4), 8), 8) * 0.3 + 1.7
    exact = target.double()
    deviation = (exact.var(dim=-1, unbiased=True, keepdim=True) + 1e-6).sqrt()
    expected = (exact - exact.mean(dim=-1, keepdim=True)) / deviation
    torch.testing.assert_close(normalise_patches(target).double(), expected, atol=5e-6, rtol=0)


@pytest.mark.parametrize("level", [0.25, 0.1, 2.1179, -1.7])
def test_a_flat_patch_has_a_target_of_zero(level):
    assert normalise_patches(torch.full((1, 2, 192), level)).abs().max() == 0


def test_a_nearly_flat_patch_is_not_blown_up_beyond_the_floor():
    noise = torch.randn(1, 1, 768, generator=torch.Generator().manual_seed(0))
    target = 0.5 + 1e-4 * noise  # a tenth of the floor, sqrt(1e-6)
    assert normalise_patches(target).std() == pytest.approx(0.1, rel=0.1)


def test_a_normalised_patch_goes_back_to_its_colours():
    target = patchify(picture((2, 2), 8), 8)
    torch.testing.assert_close(denormalise_patches(normalise_patches(target), target), target)


def test_statistics_are_over_pixels_and_channels_together():
    target = torch.tensor([[[0.0, 0.0, 0.0, 2.0, 2.0, 2.0]]])
    mean, deviation = patch_statistics(target)
    assert mean.item() == 1
    assert deviation.item() == pytest.approx((6 / 5 + 1e-6) ** 0.5)
