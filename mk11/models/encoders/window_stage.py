"""A stage of attention within windows, if need be under a mask.

MixMIM's encoder is a Swin Transformer whose windows are not shifted (Liu et al. 2023, sec. 3.2): they stay
the same throughout a stage, so that its tokens are kept window by window, (batch, windows, tokens, dim).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from timm.layers import DropPath, Mlp
from timm.models.swin_transformer import PatchMerging
from torch import Tensor, nn

from mk11.models.encoders.tokens import through
from mk11.models.encoders.windows import from_windows, into_windows, on_finer_grid, parted


def relative_places(side: int) -> Int[Tensor, "tokens tokens"]:
    """For every pair of a window's tokens its row in the bias table (Swin, sec. 3.2)."""
    row, column = torch.arange(side).repeat_interleave(side), torch.arange(side).repeat(side)
    down = row[:, None] - row + side - 1  # 0 ... 2 side - 2
    right = column[:, None] - column + side - 1
    return down * (2 * side - 1) + right


class WindowAttention(nn.Module):
    """Self-attention within windows, with a learned bias for each head and relative place.

    Args:
        dim: Channels.
        num_heads: Attention heads.
        side: Tokens along a window's side.
    """

    def __init__(self, *, dim: int, num_heads: int, side: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * side - 1) ** 2, num_heads))
        self.register_buffer("relative_position_index", relative_places(side))
        self.relative_position_index: Tensor  # in the state dict, as in the official files
        self.qkv = nn.Linear(dim, dim * 3)
        self.proj = nn.Linear(dim, dim)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(
        self,
        x: Float[Tensor, "batch windows tokens dim"],
        apart: Float[Tensor, "windows 1 tokens tokens"] | None,
    ) -> Float[Tensor, "batch windows tokens dim"]:
        """Attention within each window; ``apart`` is what `parted` gives, or none."""
        # (batch, windows, tokens, 3, heads, head dim)
        parts = self.qkv(x).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = parts.permute(3, 0, 1, 4, 2, 5).unbind(0)
        bias = self.bias() if apart is None else self.bias() + apart
        return self.proj(_attention(query, key, value, bias).transpose(2, 3).flatten(-2))

    def bias(self) -> Float[Tensor, "1 heads tokens tokens"]:
        """The table's entry for every pair of tokens."""
        index = self.relative_position_index
        return self.relative_position_bias_table.T.index_select(1, index.flatten()).view(1, -1, *index.shape)


def _attention(
    query: Float[Tensor, "batch windows heads tokens head_dim"],
    key: Float[Tensor, "batch windows heads tokens head_dim"],
    value: Float[Tensor, "batch windows heads tokens head_dim"],
    bias: Float[Tensor, "#windows heads tokens tokens"],
) -> Float[Tensor, "batch windows heads tokens head_dim"]:
    """Scaled dot-product attention with a bias on the logits.

    torch's fused kernel for CPUs gives no gradient for the bias, and what stands in for it takes twice as
    long as the plain products.
    """
    if query.device.type == "cpu" and bias.requires_grad:
        logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        return (logits + bias).softmax(dim=-1) @ value
    windows, heads = query.shape[1:3]  # as one dimension: fused kernels take four
    bias = bias.expand(windows, -1, -1, -1).flatten(0, 1)[None].to(query.dtype)
    fused = F.scaled_dot_product_attention(
        query.flatten(1, 2), key.flatten(1, 2), value.flatten(1, 2), attn_mask=bias
    )
    return fused.unflatten(1, (windows, heads))


class WindowBlock(nn.Module):
    """Pre-norm Transformer block whose attention stays within windows.

    Args:
        dim: Channels.
        num_heads: Attention heads.
        side: Tokens along a window's side.
        mlp_ratio: Hidden channels of the MLP, relative to ``dim``.
        drop_path: Probability of skipping a residual branch.
    """

    def __init__(self, *, dim: int, num_heads: int, side: int, mlp_ratio: float, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)  # epsilon 1e-5, as all of MixMIM's
        self.attn = WindowAttention(dim=dim, num_heads=num_heads, side=side)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "batch windows tokens dim"],
        apart: Float[Tensor, "windows 1 tokens tokens"] | None = None,
    ) -> Float[Tensor, "batch windows tokens dim"]:
        """The block's output for all windows."""
        x = x + self.drop_path(self.attn(self.norm1(x), apart))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class Stage(nn.Module):
    """Blocks at one resolution, then 2 x 2 tokens merged into one (not after the last stage).

    Args:
        grid: (height, width) in tokens.
        side: Tokens along a window's side.
        dim: Channels.
        num_heads: Attention heads.
        mlp_ratio: Hidden channels of the MLPs, relative to ``dim``.
        drop_paths: Each block's probability of skipping a residual branch.
        downsample: Whether tokens are merged at the end.
    """

    def __init__(
        self,
        *,
        grid: tuple[int, int],
        side: int,
        dim: int,
        num_heads: int,
        mlp_ratio: float,
        drop_paths: Sequence[float],
        downsample: bool,
    ) -> None:
        super().__init__()
        self.grid, self.side = grid, side
        self.blocks = nn.ModuleList(
            WindowBlock(dim=dim, num_heads=num_heads, side=side, mlp_ratio=mlp_ratio, drop_path=rate)
            for rate in drop_paths
        )
        self.downsample = PatchMerging(dim) if downsample else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "batch height width dim"],
        origin: Bool[Tensor, "rows columns"] | None,
        checkpointing: bool,
    ) -> Float[Tensor, "batch lower narrower wider"]:
        """The stage's output; tokens of different ``origin`` do not see each other."""
        apart = None if origin is None else parted(on_finer_grid(origin, self.grid), self.side)
        windows = through(self.blocks, into_windows(x, self.side), apart, checkpointing=checkpointing)
        return self.downsample(from_windows(windows, self.side, self.grid))
