"""Windows: how large, cut and put together, and attention within them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mk11.models.encoders.window_stage import WindowAttention, relative_places
from mk11.models.encoders.windows import (
    checked_windows,
    fitting_windows,
    from_windows,
    into_windows,
    on_finer_grid,
    parted,
)


@pytest.mark.parametrize(
    ("size", "windows"),
    [
        (224, (14, 14, 14, 7)),  # published
        (256, (16, 16, 16, 8)),  # published
        (384, (16, 16, 24, 12)),  # published
        (64, (16, 8, 4, 2)),
        (96, (12, 12, 6, 3)),
        (128, (16, 16, 8, 4)),
        (448, (16, 14, 14, 14)),
    ],
)
def test_windows_follow_from_the_image_size(size, windows):
    assert fitting_windows((size // 4, size // 4)) == windows


@given(st.integers(1, 40), st.integers(1, 40))
def test_fitting_windows_divide_every_stage_and_are_not_tiny(rows, columns):
    grid = (8 * rows, 8 * columns)
    for stage, side in enumerate(fitting_windows(grid) or ()):
        height, width = grid[0] >> stage, grid[1] >> stage
        assert height % side == width % side == 0
        assert side >= min(7, math.gcd(height, width))


def test_sizes_that_no_windows_divide_are_refused_with_their_neighbours():
    with pytest.raises(ValueError, match=r"image_size .* as 512 or 576 px do, but is 544 x 544"):
        checked_windows((136, 136), None, patch=4)


def test_given_windows_are_at_most_the_stage():
    assert checked_windows((24, 24), (12, 14, 14, 7), patch=4) == (12, 12, 6, 3)


@pytest.mark.parametrize(
    ("windows", "fault"),
    [
        ((14, 14, 14, 7), "24 x 24 tokens of stage 1, but 14 does not"),
        ((12, 12, 4, 3), "6 x 6 tokens of stage 3, but 4 does not"),
        ((12, 12, 6), "be 4 numbers from 1"),
        ((12, 12, 6, 0), "be 4 numbers from 1"),
    ],
)
def test_given_windows_that_do_not_suit_are_refused(windows, fault):
    with pytest.raises(ValueError, match=f"window_size must .*{fault}"):
        checked_windows((24, 24), windows, patch=4)


def test_windows_are_cut_row_by_row():
    picture = torch.arange(24.0).view(1, 4, 6, 1)
    windows = into_windows(picture, 2)
    assert windows.shape == (1, 6, 4, 1)
    assert windows[0, :2, :, 0].tolist() == [[0, 1, 6, 7], [2, 3, 8, 9]]
    assert windows[0, 3, :, 0].tolist() == [12, 13, 18, 19]


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_windows_put_together_are_the_picture(side, down, right):
    picture = torch.rand(2, side * down, side * right, 3)
    assert torch.equal(from_windows(into_windows(picture, side), side, picture.shape[1:3]), picture)


def test_a_coarse_mask_covers_its_places():
    fine = on_finer_grid(torch.tensor([[True, False], [False, True]]), (4, 4))
    assert fine.long().tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]


def test_relative_places_of_a_window_of_two():
    # Columns and rows differ by -1, 0 or 1: 3 x 3 places, row by row; 4 is a token to itself.
    assert relative_places(2).tolist() == [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]


def attention(side=3, dim=8, heads=2):
    torch.manual_seed(0)
    made = WindowAttention(dim=dim, num_heads=heads, side=side)
    torch.nn.init.normal_(made.relative_position_bias_table)
    return made


def slow_attention(layer, x, origin, side):
    """Token by token, head by head: a softmax over the tokens of the same window and origin."""
    out = torch.zeros_like(x)
    query, key, value = layer.qkv(x).chunk(3, dim=-1)
    size = x.shape[-1] // layer.num_heads
    for image, window, token in torch.cartesian_prod(*(torch.arange(n) for n in x.shape[:3])).tolist():
        for head in range(layer.num_heads):
            part = slice(head * size, (head + 1) * size)
            own = [t for t in range(x.shape[2]) if origin[window, t] == origin[window, token]]
            logits = []
            for other in own:
                down, right = token // side - other // side, token % side - other % side
                place = (down + side - 1) * (2 * side - 1) + right + side - 1
                product = query[image, window, token, part] @ key[image, window, other, part]
                logits.append(product / size**0.5 + layer.relative_position_bias_table[place, head])
            weights = torch.stack(logits).softmax(dim=0)
            out[image, window, token, part] = weights @ value[image, window, own][:, part]
    return layer.proj(out)


@pytest.mark.parametrize("grad", [True, False], ids=["plain", "fused"])
@pytest.mark.parametrize("masked", [True, False])
def test_attention_stays_within_window_and_origin(masked, grad):
    layer, picture = attention(), torch.randn(2, 3, 6, 8)
    origin = torch.rand(3, 6) < 0.5
    x = into_windows(picture, 3)
    apart = parted(origin, 3) if masked else None
    kinds = into_windows(origin[None, :, :, None].float(), 3)[0, :, :, 0] if masked else torch.zeros(2, 9)
    with torch.set_grad_enabled(grad):
        torch.testing.assert_close(layer(x, apart), slow_attention(layer, x, kinds, 3))


def test_attention_across_origins_is_forbidden_and_within_them_free():
    origin = torch.tensor([[True, False]])
    apart = parted(torch.cat([origin, origin]), 2)
    free, no = 0.0, -math.inf
    assert apart[0, 0].tolist() == [[free, no, free, no], [no, free, no, free]] * 2
