"""Vision Transformers of MoCo v3 (Chen, Xie and He 2021), with a patch embedding or a convolutional stem.

A plain ViT whose position table is fixed sines and cosines, the row's half first, whose class token is the
output, and whose matrices start as in the paper's implementation. ViT-S has 12 heads, where DeiT's has 6.
"""

import math
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any, cast

import torch
from timm.layers import PatchEmbed, to_2tuple
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from mk11.models.encoders.tokens import description
from mk11.models.positions import sincos_table

NORM_EPS = 1e-6


class ConvStem(PatchEmbed):
    """Convolutions of stride 2 up to the patch's size, then 1 x 1 (Xiao et al. 2021; MoCo v3).

    Patches of 16 pixels take four, with an eighth, a quarter, half and all of the channels.

    Args:
        patch_size: Side of a patch in pixels, a power of two.
        in_chans: Channels of the image.
        embed_dim: Channels of the tokens.
        settings: Further arguments of timm's PatchEmbed.

    Raises:
        ValueError: A patch that is no power of two, or channels that cannot be halved so often.
    """

    def __init__(
        self,
        *,
        patch_size: int,
        in_chans: int,
        embed_dim: int,
        **settings: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(patch_size=patch_size, in_chans=in_chans, embed_dim=embed_dim, **settings)
        steps = round(math.log2(patch_size))
        if steps < 1 or 2**steps != patch_size or embed_dim % 2 ** (steps - 1):
            raise ValueError(
                "patch_size of a convolutional stem must be a power of two, and embed_dim a multiple of half "
                f"of it, but they are {patch_size} and {embed_dim}"
            )
        widths = [in_chans, *(embed_dim >> halvings for halvings in reversed(range(steps)))]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            convolution = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        last = nn.Conv2d(embed_dim, embed_dim, 1)
        self.proj = nn.Sequential(*layers, last)  # type: ignore[assignment]


class MoCoViT(VisionTransformer):
    """The ViT of MoCo v3 as encoder (``num_classes=0``) and as classifier on the class token.

    The position table is trainable here, as in the published fine-tuning; pre-training freezes it.

    Args:
        img_size: Side of the image in pixels, or (height, width).
        patch_size: Side of a patch.
        dynamic_img_size: Take other image sizes as well (timm).
        settings: Further arguments of timm's VisionTransformer.

    Raises:
        ValueError: An image that is no whole number of patches.
    """

    def __init__(
        self,
        *,
        img_size: int | tuple[int, int],
        patch_size: int,
        dynamic_img_size: bool = False,
        **settings: Any,  # noqa: ANN401
    ) -> None:
        if any(side % patch_size for side in to_2tuple(img_size)) and not dynamic_img_size:
            raise ValueError(
                f"image_size must be a multiple of the patch, {patch_size} px, but is {img_size}"
            )
        super().__init__(
            img_size=img_size,
            patch_size=patch_size,
            dynamic_img_size=dynamic_img_size,
            norm_layer=partial(nn.LayerNorm, eps=NORM_EPS),
            **settings,
        )

    @torch.no_grad()
    def init_weights(self, mode: str = "", needs_reset: bool = True) -> None:
        """As published: Xavier for each matrix, q, k and v apart; a class token next to zero; fixed table.

        timm's mode "moco" does the matrices and the class token; it leaves the position table and the patch
        embedding as other ViTs have them. A convolutional stem keeps PyTorch's own start.
        """
        super().init_weights("moco", needs_reset)
        grid = self.patch_embed.grid_size
        cast(nn.Parameter, self.pos_embed).copy_(
            sincos_table(self.embed_dim, grid, row_first=True, class_token=True)
        )
        embed = self.patch_embed.proj
        if isinstance(embed, nn.Conv2d):
            limit = math.sqrt(6 / (embed.weight[0].numel() + self.embed_dim))
            nn.init.uniform_(embed.weight, -limit, limit)
            nn.init.zeros_(cast(torch.Tensor, embed.bias))


_PATCHES, _STEM = "patch_embed.proj", "patch_embed.proj.0"

default_cfgs = generate_default_cfgs(
    {
        "mocov3_vit_tiny": description(_PATCHES),
        "mocov3_vit_small": description(_PATCHES),
        "mocov3_vit_base": description(_PATCHES),
        "mocov3_vit_conv_tiny": description(_STEM),
        "mocov3_vit_conv_small": description(_STEM),
        "mocov3_vit_conv_base": description(_STEM),
    }
)

# A convolutional stem stands for one block.
_TINY = {"patch_size": 16, "embed_dim": 192, "depth": 12, "num_heads": 3}
_SMALL = {"patch_size": 16, "embed_dim": 384, "depth": 12, "num_heads": 12}
_BASE = {"patch_size": 16, "embed_dim": 768, "depth": 12, "num_heads": 12}
_CONV = {"depth": 11, "embed_layer": ConvStem}


def _create(variant: str, pretrained: bool, size: Mapping[str, Any], changed: Mapping[str, Any]) -> nn.Module:
    network = build_model_with_cfg(
        MoCoViT, variant, pretrained, feature_cfg={"feature_cls": "getter"}, **{**size, **changed}
    )
    return cast(nn.Module, network)


@register_model
def mocov3_vit_tiny(pretrained: bool = False, **changed: Any) -> nn.Module:  # noqa: ANN401
    """ViT-Ti/16, not published: for CPUs."""
    return _create("mocov3_vit_tiny", pretrained, _TINY, changed)


@register_model
def mocov3_vit_small(pretrained: bool = False, **changed: Any) -> nn.Module:  # noqa: ANN401
    """ViT-S/16 with 12 heads."""
    return _create("mocov3_vit_small", pretrained, _SMALL, changed)


@register_model
def mocov3_vit_base(pretrained: bool = False, **changed: Any) -> nn.Module:  # noqa: ANN401
    """ViT-B/16."""
    return _create("mocov3_vit_base", pretrained, _BASE, changed)


@register_model
def mocov3_vit_conv_tiny(pretrained: bool = False, **changed: Any) -> nn.Module:  # noqa: ANN401
    """ViT-Ti with a convolutional stem, not published: for CPUs."""
    return _create("mocov3_vit_conv_tiny", pretrained, _TINY | _CONV, changed)


@register_model
def mocov3_vit_conv_small(pretrained: bool = False, **changed: Any) -> nn.Module:  # noqa: ANN401
    """ViT-S with a convolutional stem."""
    return _create("mocov3_vit_conv_small", pretrained, _SMALL | _CONV, changed)


@register_model
def mocov3_vit_conv_base(pretrained: bool = False, **changed: Any) -> nn.Module:  # noqa: ANN401
    """ViT-B with a convolutional stem."""
    return _create("mocov3_vit_conv_base", pretrained, _BASE | _CONV, changed)
