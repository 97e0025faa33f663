"""ConvMAE's encoder (Gao et al. 2022, sec. 3.1): two convolutional stages, then a Transformer at stride 16.

Tensors are named as in the official files. ``timm.create_model("convmae_base", num_classes=11)`` is the
classifier of the published fine-tuning; with ``num_classes=0`` it is the encoder that `mk11.ssl.convmae`
pre-trains.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from jaxtyping import Float
from timm.layers import calculate_drop_path_rates, to_2tuple
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from mk11.models.encoders.cblock import CBlock, ConvEmbed, VisiblePlaces
from mk11.models.encoders.tokens import TokenNetwork, check_stages, description, refuse_maps, through
from mk11.models.encoders.vit import xavier
from mk11.models.positions import sincos_table

Visible = VisiblePlaces | None

NORM_EPS = 1e-6  # of the attention blocks and the final norms; the convolutional stages have 1e-5
layer_norm = partial(nn.LayerNorm, eps=NORM_EPS)


class ConvViT(TokenNetwork):
    """Convolution blocks at strides 4 and 8, attention blocks at stride 16 (with the published patches).

    The classifier takes the mean of all tokens through a fresh ``fc_norm``, as published. Without a head, or
    with another pooling, pre-training's ``norm`` comes before the pooling instead.

    Args:
        img_size: Side of the image in pixels, or (height, width).
        in_chans: Channels of the image.
        num_classes: Outputs of the head; 0 = no head.
        global_pool: ``avg``; ``token``: the first, that is top left, patch (the reference's variant); or
            empty: all tokens.
        patch_size: Places merged along each side before each stage.
        embed_dim: Channels of each stage.
        depth: Blocks of each stage.
        num_heads: Attention heads of the third stage.
        mlp_ratio: Hidden channels of each stage's MLPs, relative to its channels.
        fc_norm: Whether the norm comes after the pooling; null: for ``avg`` with a head.
        drop_rate: Dropout before the head.
        drop_path_rate: Largest probability of skipping a residual branch, rising linearly over all blocks.

    Raises:
        ValueError: An image that is no whole number of patches, an option that is not three numbers, or an
            unknown ``global_pool``.
    """

    pools = ("avg", "token", "")

    def __init__(
        self,
        *,
        img_size: int | Sequence[int],
        in_chans: int,
        num_classes: int,
        global_pool: str = "avg",
        patch_size: Sequence[int],
        embed_dim: Sequence[int],
        depth: Sequence[int],
        num_heads: int,
        mlp_ratio: Sequence[float],
        fc_norm: bool | None = None,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        check_stages(3, patch_size=patch_size, embed_dim=embed_dim, depth=depth, mlp_ratio=mlp_ratio)
        self.img_size, self.patch_sizes = to_2tuple(img_size), tuple(patch_size)
        self.embed_dims, self.mlp_ratios, dim = tuple(embed_dim), tuple(mlp_ratio), embed_dim[2]
        self.grid_size = _grid(self.img_size, math.prod(patch_size))
        self.patch_embed1, self.patch_embed2, self.patch_embed3 = (
            ConvEmbed(in_channels=before, dim=after, patch=patch)
            for before, after, patch in zip((in_chans, *embed_dim), embed_dim, patch_size, strict=False)
        )
        self.patch_embed4 = nn.Linear(dim, dim)
        self.pos_embed = nn.Parameter(sincos_table(dim, self.grid_size, row_first=False, class_token=False))
        self._add_blocks(depth, num_heads, drop_path_rate)
        after_pooling = (global_pool == "avg" and num_classes > 0) if fc_norm is None else fc_norm
        self.norm = nn.Identity() if after_pooling else layer_norm(dim)
        pooled_norm = layer_norm(dim) if after_pooling else nn.Identity()
        xavier(self)
        _xavier_as_matrix(self.patch_embed3.proj)
        self.add_head(dim, num_classes, global_pool, fc_norm=pooled_norm, drop=drop_rate)

    def _add_blocks(self, depth: Sequence[int], num_heads: int, drop_path_rate: float) -> None:
        stagewise = calculate_drop_path_rates(drop_path_rate, [*depth], stagewise=True)
        rates = cast("list[list[float]]", stagewise)
        dims, ratios = self.embed_dims, self.mlp_ratios
        self.blocks1, self.blocks2 = (
            nn.ModuleList(CBlock(dim=dim, mlp_ratio=ratio, drop_path=rate) for rate in stage)
            for dim, ratio, stage in zip(dims[:2], ratios[:2], rates[:2], strict=True)
        )
        block = partial(Block, dims[2], num_heads, ratios[2], qkv_bias=True, norm_layer=cast(Any, layer_norm))
        self.blocks3 = nn.ModuleList(block(drop_path=rate) for rate in rates[2])

    def stages(
        self, pictures: Float[Tensor, "batch *tiles height width channels"], visible: tuple[Visible, Visible]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Both convolutional stages, and the tokens that enter the third without their positions.

        Args:
            pictures: Whole images, or each image's visible patches as (batch, visible, patch, patch, 3).
            visible: Where visible patches lie in the first and the second stage; none for whole images.

        Returns:
            Stages 1 and 2, channels-last pictures of the kind given; tokens, (batch, all or visible, dim).
        """
        again = self.grad_checkpointing
        first = through(self.blocks1, self.patch_embed1(pictures), visible[0], checkpointing=again)
        second = through(self.blocks2, self.patch_embed2(first), visible[1], checkpointing=again)
        third = self.patch_embed3(second).flatten(1, -2)  # (batch, tokens, dim)
        return first, second, self.patch_embed4(third)

    def attend(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """The third stage's attention blocks, over all or the visible tokens."""
        return through(self.blocks3, tokens, checkpointing=self.grad_checkpointing)

    def forward_features(
        self, image: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """All tokens, row by row, normed if the norm does not come after the pooling."""
        assert image.shape[2:] == self.img_size, f"made for {self.img_size} px, not {(*image.shape[2:],)}"
        *_, tokens = self.stages(image.permute(0, 2, 3, 1), (None, None))
        return self.norm(self.attend(tokens + self.pos_embed))

    def no_weight_decay(self) -> set[str]:
        """Parameters without weight decay beyond norms and biases."""
        return {"pos_embed"}

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Layers for layer-wise decay: 0 = all before the third stage, its blocks, then norms and head."""
        return {"stem": r"^(?:pos_embed|patch_embed|blocks1|blocks2)", "blocks": r"^blocks3\.(\d+)"}


def _grid(img_size: tuple[int, int], patch: int) -> tuple[int, int]:
    """(rows, columns) of patches."""
    height, width = img_size
    if height % patch or width % patch or min(img_size) < patch:
        raise ValueError(f"image_size must be a multiple of {patch} px, but is {height} x {width}")
    return height // patch, width // patch


def _xavier_as_matrix(conv: nn.Conv2d) -> None:
    """Xavier as if the convolution were a matrix of all its inputs, as MAE's patch embedding."""
    nn.init.xavier_uniform_(conv.weight.view(len(conv.weight), -1))


SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"embed_dim": (48, 96, 192), "depth": (2, 2, 4), "num_heads": 3},
    "small": {"embed_dim": (128, 256, 384), "depth": (2, 2, 11), "num_heads": 6},
    "base": {"embed_dim": (256, 384, 768), "depth": (2, 2, 11), "num_heads": 12},
    "large": {"embed_dim": (384, 768, 1024), "depth": (2, 2, 23), "num_heads": 16, "mlp_ratio": (8, 8, 4)},
    "huge": {"embed_dim": (768, 1024, 1280), "depth": (2, 2, 31), "num_heads": 16, "mlp_ratio": (8, 8, 4)},
}

default_cfgs = generate_default_cfgs({f"convmae_{size}": description("patch_embed1.proj") for size in SIZES})


def _build(size: str, pretrained: bool, options: dict[str, Any]) -> ConvViT:
    refuse_maps(f"convmae_{size}", options)
    arguments = {"patch_size": (4, 2, 2), "mlp_ratio": (4, 4, 4)} | SIZES[size] | options
    return build_model_with_cfg(ConvViT, f"convmae_{size}", pretrained, **arguments)


@register_model
def convmae_tiny(pretrained: bool = False, **options: Any) -> ConvViT:  # noqa: ANN401
    """2.2 M parameters without a head: not published, for CPUs and small pictures."""
    return _build("tiny", pretrained, options)


@register_model
def convmae_small(pretrained: bool = False, **options: Any) -> ConvViT:  # noqa: ANN401
    """22 M parameters without a head: the paper's smallest; its attention heads are not told, 6 or 12."""
    return _build("small", pretrained, options)


@register_model
def convmae_base(pretrained: bool = False, **options: Any) -> ConvViT:  # noqa: ANN401
    """85 M parameters without a head: the size whose code and weights are published."""
    return _build("base", pretrained, options)


@register_model
def convmae_large(pretrained: bool = False, **options: Any) -> ConvViT:  # noqa: ANN401
    """322 M parameters without a head: in the paper only; ``mlp_ratio=(4, 4, 4)`` is told of it as well."""
    return _build("large", pretrained, options)


@register_model
def convmae_huge(pretrained: bool = False, **options: Any) -> ConvViT:  # noqa: ANN401
    """679 M parameters without a head: in the paper only; ``mlp_ratio=(4, 4, 4)`` is told of it as well."""
    return _build("huge", pretrained, options)
