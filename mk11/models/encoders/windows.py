"""Windows of tokens: how large they are, cutting a picture into them, keeping two images apart in them."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

STAGES = 4
LAST_STAGE = 2 ** (STAGES - 1)  # its stride in tokens of the first
LARGEST = (16, 16, 24, 24)  # windows of the stages; gives the published ones at 224, 256 and 384 px
SMALLEST = 7  # unless a single window holds the stage


def fitting_windows(grid: tuple[int, int]) -> tuple[int, ...] | None:
    """The side of each stage's windows for a first stage of ``grid`` tokens; None where none suit.

    The largest up to 16, in the last two stages 24, that divides the stage: 14, 14, 14, 7 at 224 px (56 x 56
    tokens), 16, 16, 16, 8 at 256 px and 16, 16, 24, 12 at 384 px, as published.
    """
    common = math.gcd(*grid)
    if common % LAST_STAGE:
        return None
    sides = [common >> stage for stage in range(STAGES)]
    windows = [_largest_divisor(side, most) for side, most in zip(sides, LARGEST, strict=True)]
    suit = all(window >= min(SMALLEST, side) for window, side in zip(windows, sides, strict=True))
    return tuple(windows) if suit else None


def _largest_divisor(number: int, most: int) -> int:
    return max(divisor for divisor in range(1, most + 1) if number % divisor == 0)


def checked_windows(
    grid: tuple[int, int], window_size: Sequence[int] | None, *, patch: int
) -> tuple[int, ...]:
    """The windows given, at most as large as their stage, or fitting ones.

    Raises:
        ValueError: Windows that do not divide their stage, or an image size that none divide.
    """
    if window_size is not None:
        return _given_windows(grid, window_size)
    windows = fitting_windows(grid)
    if windows is None:
        sides = range(LAST_STAGE, 2 * max(grid), LAST_STAGE)
        allowed = [side * patch for side in sides if fitting_windows((side, side))]
        near = sorted(sorted(allowed, key=lambda size: abs(size - max(grid) * patch))[:2])
        raise ValueError(
            f"image_size must leave each stage divisible into windows, as {near[0]} or {near[1]} px do, but"
            f" is {grid[0] * patch} x {grid[1] * patch} (others need a window_size of their own)"
        )
    return windows


def _given_windows(grid: tuple[int, int], window_size: Sequence[int]) -> tuple[int, ...]:
    if len(window_size) != STAGES or min(window_size) < 1:
        raise ValueError(f"window_size must be {STAGES} numbers from 1, but is {[*window_size]}")
    windows = tuple(min(side, min(grid) >> stage) for stage, side in enumerate(window_size))
    for stage, side in enumerate(windows):
        rows, columns = grid[0] >> stage, grid[1] >> stage
        if rows % side or columns % side:
            raise ValueError(
                f"window_size must divide the {rows} x {columns} tokens of stage {stage + 1}, but {side} does"
                " not"
            )
    return windows


def into_windows(
    x: Float[Tensor, "batch height width dim"], side: int
) -> Float[Tensor, "batch windows tokens dim"]:
    """Windows row by row, and so the tokens within."""
    tiles = x.unflatten(2, (-1, side)).unflatten(1, (-1, side))  # (batch, rows, side, columns, side, dim)
    return tiles.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def from_windows(
    windows: Float[Tensor, "batch windows tokens dim"], side: int, grid: tuple[int, int]
) -> Float[Tensor, "batch height width dim"]:
    """The inverse of `into_windows`; ``grid`` is (height, width) in tokens."""
    tiles = windows.unflatten(2, (side, side)).unflatten(1, (grid[0] // side, grid[1] // side))
    return tiles.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def on_finer_grid(
    mask: Bool[Tensor, "*batch rows columns"], grid: tuple[int, int]
) -> Bool[Tensor, "*batch height width"]:
    """A mask of coarse places on a finer ``grid``, (height, width)."""
    factor = grid[0] // mask.shape[-2]
    return mask.repeat_interleave(factor, dim=-2).repeat_interleave(factor, dim=-1)


def parted(origin: Bool[Tensor, "height width"], side: int) -> Float[Tensor, "windows 1 tokens tokens"]:
    """What to add to attention logits so that tokens see those of their own origin alone: 0 or -inf."""
    tokens = into_windows(origin[None, :, :, None].float(), side)[0, :, :, 0]  # (windows, tokens)
    other = tokens[:, None, :, None] != tokens[:, None, None, :]
    return torch.zeros(other.shape, device=origin.device).masked_fill(other, -math.inf)
