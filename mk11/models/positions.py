"""Position tables of Transformers: fixed sines and cosines, and carrying a table to another grid."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LONGEST_WAVE = 10_000.0


def sincos_table(
    dim: int, grid: tuple[int, int], *, row_first: bool, class_token: bool
) -> Float[Tensor, "1 tokens {dim}"]:
    """Sines and cosines of the patch's place (Vaswani et al. 2017, sec. 3.5, in two dimensions).

    Half of the channels tell the column, half the row. Each half is [sin(pos w), cos(pos w)] with w_k =
    10000^(-k / (dim / 4)), pos = 0, 1, 2, ... Computed in float64, returned in float32.

    Args:
        dim: Channels, a multiple of 4.
        grid: (rows, columns) of patches; tokens run row by row.
        row_first: Whether the first half tells the row (MoCo v3) or the column (MAE, ConvMAE, MixMIM).
        class_token: Whether a row of zeros for a class token comes first.
    """
    rows, columns = grid
    row = _wave(dim // 2, rows)[:, None, :].expand(rows, columns, -1)
    column = _wave(dim // 2, columns)[None, :, :].expand(rows, columns, -1)
    halves = (row, column) if row_first else (column, row)
    table = torch.cat(halves, dim=-1).reshape(rows * columns, dim)
    if class_token:
        table = torch.cat([torch.zeros(1, dim), table])
    return table[None].float()


def _wave(dim: int, length: int) -> Float[Tensor, "{length} {dim}"]:
    """[sin(pos w), cos(pos w)] of the positions 0 ... length - 1, in float64."""
    frequency = LONGEST_WAVE ** (-torch.arange(dim // 2, dtype=torch.float64) / (dim / 2))
    angle = torch.arange(length, dtype=torch.float64)[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def resized_table(
    table: Float[Tensor, "1 tokens dim"], grid: tuple[int, int], *, prefix: int
) -> Float[Tensor, "1 other_tokens dim"]:
    """A square grid's table on another grid, bicubically, as in MAE's fine-tuning (no antialiasing).

    Args:
        table: A row for each token.
        grid: (rows, columns) of patches that it is to have.
        prefix: Rows before those of the patches, such as a class token's; they stay as they are.
    """
    first, patches = table[:, :prefix], table[:, prefix:]
    side = round(patches.shape[1] ** 0.5)
    if (side, side) == grid:
        return table
    square = patches.reshape(1, side, side, -1).permute(0, 3, 1, 2)  # (1, dim, side, side)
    resized = F.interpolate(square.float(), size=grid, mode="bicubic", align_corners=False)
    return torch.cat([first, resized.flatten(2).transpose(1, 2).to(table.dtype)], dim=1)


def resized_bias(table: Float[Tensor, "places heads"], side: int) -> Float[Tensor, "other_places heads"]:
    """Relative position biases of a window, (2w - 1)^2 places, on ``side`` x ``side``, bicubically by head.

    Args:
        table: A row for each relative place of two tokens in a window of w x w.
        side: Relative places along a side that it is to have, 2w - 1 of the other window.
    """
    old = round(table.shape[0] ** 0.5)
    if old == side:
        return table
    square = table.T.reshape(1, -1, old, old)  # (1, heads, old, old)
    resized = F.interpolate(square.float(), size=(side, side), mode="bicubic", align_corners=False)
    return resized.reshape(-1, side * side).T.to(table.dtype)
