"""The Vision Transformers of MAE (He et al. 2022): a fixed sine-cosine table and MAE's initialisation."""

from functools import partial
from typing import Any, cast

import torch
from timm.layers import to_2tuple, trunc_normal_
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from mk11.models.encoders.tokens import HEAD_DEVIATION, description
from mk11.models.positions import sincos_table

NORM_EPS = 1e-6  # of every LayerNorm


class MAEVisionTransformer(VisionTransformer):
    """timm's ViT as MAE trains it.

    With a head it is the fine-tuning classifier: the patches' tokens are averaged and normed by a fresh
    ``fc_norm``, and pre-training's own ``norm`` is left aside. ``global_pool="token"`` reads the normed class
    token instead. Without a head (``num_classes=0``) it is the encoder as it is pre-trained, ``norm`` at its
    end. The position table starts from sines and cosines and is trained in fine-tuning; `mk11.ssl.mae` keeps
    it fixed.

    Args:
        img_size: Side of the image in pixels, a multiple of the patch.
        patch_size: Side of a patch in pixels.
        num_classes: Outputs of the head; 0 for none.
        global_pool: ``avg`` or ``token``.
        dynamic_img_pad: Pad images to whole patches.
        rest: Further arguments of timm's VisionTransformer.

    Raises:
        ValueError: An image that is no whole number of patches, unless it is padded.
    """

    def __init__(
        self,
        img_size: int | tuple[int, int] = 224,
        patch_size: int = 16,
        num_classes: int = 1000,
        global_pool: str = "avg",
        dynamic_img_pad: bool = False,
        **rest: Any,  # noqa: ANN401
    ) -> None:
        if not dynamic_img_pad and any(side % patch_size for side in to_2tuple(img_size)):
            raise ValueError(
                f"image_size must be a multiple of the patch, {patch_size} px, but is {img_size}"
            )
        norms = {"norm_layer": partial(nn.LayerNorm, eps=NORM_EPS)} | _head_norm(num_classes)
        super().__init__(
            img_size=img_size,
            patch_size=patch_size,
            num_classes=num_classes,
            global_pool=cast(Any, global_pool),
            dynamic_img_pad=dynamic_img_pad,
            **(norms | rest),
        )

    def init_weights(self, mode: str = "", needs_reset: bool = True) -> None:
        """As MAE: xavier for every matrix (q, k and v as one; a patch as one row), N(0, 0.02) for tokens."""
        if needs_reset:
            _reset(self)
        table = sincos_table(self.embed_dim, self.patch_embed.grid_size, row_first=False, class_token=True)
        with torch.no_grad():
            cast(Tensor, self.pos_embed).copy_(table)
        nn.init.normal_(cast(Tensor, self.cls_token), std=0.02)
        nn.init.xavier_uniform_(self.patch_embed.proj.weight.view(self.embed_dim, -1))
        for block in self.blocks:
            xavier(block)
        self._init_head()

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """A new head; the norms stay where they are."""
        super().reset_classifier(num_classes, global_pool)
        self._init_head()

    def _init_head(self) -> None:
        """Nearly zero, so that fine-tuning starts from the features as they are."""
        if isinstance(self.head, nn.Linear):
            trunc_normal_(self.head.weight, std=HEAD_DEVIATION)
            nn.init.zeros_(self.head.bias)

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Layers for a layer-wise learning rate: embeddings, each block; final norm and head together."""
        return {"stem": r"^cls_token|^pos_embed|^patch_embed", "blocks": r"^blocks\.(\d+)"}


def xavier(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases for every linear layer within."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _head_norm(num_classes: int) -> dict[str, Any]:
    """An encoder without head keeps the norm of pre-training; otherwise timm's choice for the pooling."""
    return {} if num_classes else {"fc_norm": False}


def _reset(network: nn.Module) -> None:
    """PyTorch's own initialisation of each layer: the patch embedding's bias and the norms keep it."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.LayerNorm):
            module.reset_parameters()


SIZES: dict[str, dict[str, int]] = {
    "tiny": {"embed_dim": 192, "depth": 12, "num_heads": 3},
    "small": {"embed_dim": 384, "depth": 12, "num_heads": 6},
    "base": {"embed_dim": 768, "depth": 12, "num_heads": 12},
    "large": {"embed_dim": 1024, "depth": 24, "num_heads": 16},
    "huge": {"embed_dim": 1280, "depth": 32, "num_heads": 16, "patch_size": 14},
}

default_cfgs = generate_default_cfgs({f"mae_vit_{size}": description("patch_embed.proj") for size in SIZES})


def _build(size: str, pretrained: bool, options: dict[str, Any]) -> MAEVisionTransformer:
    return build_model_with_cfg(
        MAEVisionTransformer,
        f"mae_vit_{size}",
        pretrained,
        feature_cfg={"out_indices": 3, "feature_cls": "getter"},
        **(SIZES[size] | options),
    )


@register_model
def mae_vit_tiny(pretrained: bool = False, **options: Any) -> MAEVisionTransformer:  # noqa: ANN401
    """192 channels, 12 blocks: not published, for CPUs and small pictures."""
    return _build("tiny", pretrained, options)


@register_model
def mae_vit_small(pretrained: bool = False, **options: Any) -> MAEVisionTransformer:  # noqa: ANN401
    """384 channels, 12 blocks: not published."""
    return _build("small", pretrained, options)


@register_model
def mae_vit_base(pretrained: bool = False, **options: Any) -> MAEVisionTransformer:  # noqa: ANN401
    """768 channels, 12 blocks, patches of 16 px."""
    return _build("base", pretrained, options)


@register_model
def mae_vit_large(pretrained: bool = False, **options: Any) -> MAEVisionTransformer:  # noqa: ANN401
    """1024 channels, 24 blocks, patches of 16 px."""
    return _build("large", pretrained, options)


@register_model
def mae_vit_huge(pretrained: bool = False, **options: Any) -> MAEVisionTransformer:  # noqa: ANN401
    """1280 channels, 32 blocks, patches of 14 px."""
    return _build("huge", pretrained, options)
