"""The convolutional half of ConvMAE's encoder: patch embeddings and masked convolution blocks.

Pictures are channels-last. A picture is a whole image or, while pre-training, one visible patch by itself:
all layers but one look no further than a patch, and that one (`CBlock.attn`) is told where the patches lie.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from timm.layers import DropPath
from torch import Tensor, nn

NORM_EPS = 1e-5  # of the convolutional stages; the attention blocks have 1e-6


class VisiblePlaces(NamedTuple):
    """Where the places of the visible patches lie in the stage's grid of the whole image."""

    indices: Int[Tensor, " places"]  # counted row by row over all images of the batch
    batch: int
    height: int
    width: int

    def in_image(self, tiles: Float[Tensor, "*tiles dim"]) -> Float[Tensor, "batch dim height width"]:
        """The whole images, zero where a patch is removed."""
        dim = tiles.shape[-1]
        blank = tiles.new_zeros(self.batch * self.height * self.width, dim)
        image = blank.index_copy(0, self.indices, tiles.reshape(-1, dim))
        return image.view(self.batch, self.height, self.width, dim).permute(0, 3, 1, 2)

    def from_image(self, image: Float[Tensor, "batch dim height width"]) -> Float[Tensor, "places dim"]:
        """The visible places alone, in the order of ``indices``."""
        return image.permute(0, 2, 3, 1).reshape(-1, image.shape[1]).index_select(0, self.indices)


def visible_places(kept: Int[Tensor, "batch visible"], grid: tuple[int, int], factor: int) -> VisiblePlaces:
    """The places of the visible patches in a stage that has ``factor`` x ``factor`` places in each patch.

    Args:
        kept: Each image's visible patches, counted row by row.
        grid: (rows, columns) of patches.
        factor: Places along a patch's side.
    """
    batch, (height, width) = len(kept), (grid[0] * factor, grid[1] * factor)
    inside = torch.arange(factor, device=kept.device)
    row = (kept // grid[1] * factor)[:, :, None, None] + inside[:, None]  # (batch, visible, factor, 1)
    column = (kept % grid[1] * factor)[:, :, None, None] + inside  # (batch, visible, 1, factor)
    image = torch.arange(batch, device=kept.device)[:, None, None, None]
    return VisiblePlaces(((image * height + row) * width + column).flatten(), batch, height, width)


class PointwiseConv(nn.Conv2d):
    """A 1 x 1 convolution of channels-last pictures."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=1)

    def forward(self, x: Float[Tensor, "*places dim"]) -> Float[Tensor, "*places other_dim"]:
        """The same matrix at every place."""
        return F.linear(x, self.weight.flatten(1), self.bias)


def merge(
    conv: nn.Conv2d, x: Float[Tensor, "*pictures height width channels"]
) -> Float[Tensor, "*pictures rows columns dim"]:
    """A convolution whose stride is its kernel, of channels-last pictures, as one matrix product.

    For pictures of a few places this takes a CPU a tenth to a half of the time of torch's convolution.
    """
    side = conv.kernel_size[0]
    # (..., rows, side, columns, side, channels)
    blocks = x.unflatten(-2, (-1, side)).unflatten(-4, (-1, side))
    matrix = conv.weight.permute(0, 2, 3, 1).flatten(1)  # (dim, side * side * channels)
    return F.linear(blocks.transpose(-4, -3).flatten(-3), matrix, conv.bias)


class ConvEmbed(nn.Module):
    """Merge ``patch`` x ``patch`` places into one: convolution, LayerNorm over the channels, GELU."""

    def __init__(self, *, in_channels: int, dim: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, dim, kernel_size=patch, stride=patch)
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.act = nn.GELU()

    def forward(
        self, x: Float[Tensor, "*pictures height width channels"]
    ) -> Float[Tensor, "*pictures rows columns dim"]:
        """The coarser pictures."""
        return self.act(self.norm(merge(self.proj, x)))


class ConvMlp(nn.Module):
    """Two 1 x 1 convolutions with a GELU between."""

    def __init__(self, *, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = PointwiseConv(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = PointwiseConv(hidden, dim)

    def forward(self, x: Float[Tensor, "*places dim"]) -> Float[Tensor, "*places dim"]:
        """Place by place."""
        return self.fc2(self.act(self.fc1(x)))


class CBlock(nn.Module):
    """Masked convolution block (Gao et al. 2022, sec. 3.2): a 5 x 5 depth-wise convolution for attention.

    Args:
        dim: Channels.
        mlp_ratio: Hidden channels of the MLP, relative to ``dim``.
        drop_path: Probability of skipping a residual branch.
    """

    def __init__(self, *, dim: int, mlp_ratio: float, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.conv1 = PointwiseConv(dim, dim)
        self.attn = nn.Conv2d(dim, dim, kernel_size=5, padding=2, groups=dim)
        self.conv2 = PointwiseConv(dim, dim)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = ConvMlp(dim=dim, hidden=int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "batch *tiles height width dim"],
        visible: VisiblePlaces | None = None,
    ) -> Float[Tensor, "batch *tiles height width dim"]:
        """The block's output at every place given.

        Args:
            x: Whole images, or the visible patches of each image as pictures of their own.
            visible: Where visible patches lie; none for whole images.
        """
        x = x + self.drop_path(self.conv2(self._look_around(self.conv1(self.norm1(x)), visible)))
        return x + self.drop_path(self.mlp(self.norm2(x)))

    def _look_around(self, x: Tensor, visible: VisiblePlaces | None) -> Tensor:
        """The depth-wise convolution, to which removed places are zeros (sec. 3.2, "masked convolution")."""
        if visible is None:
            return self.attn(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return visible.from_image(self.attn(visible.in_image(x))).view(x.shape)
