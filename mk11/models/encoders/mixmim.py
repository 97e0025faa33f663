"""MixMIM's encoder (Liu et al. 2023, sec. 3.2): a Swin Transformer with large windows that are not shifted.

Tensors are named as in the official files. ``timm.create_model("mixmim_base", num_classes=11)`` is the
classifier of the published fine-tuning; with ``num_classes=0`` it is the encoder that `mk11.ssl.mixmim`
pre-trains.
"""

from collections.abc import Sequence
from typing import Any, cast

from jaxtyping import Bool, Float
from timm.layers import PatchEmbed, calculate_drop_path_rates, to_2tuple
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models._manipulate import MATCH_PREV_GROUP
from torch import Tensor, nn

from mk11.models.encoders.tokens import TokenNetwork, check_stages, description, refuse_maps
from mk11.models.encoders.vit import xavier
from mk11.models.encoders.window_stage import Stage
from mk11.models.encoders.windows import LAST_STAGE, STAGES, checked_windows
from mk11.models.positions import sincos_table

AFTER_ALL_BLOCKS = 1000  # an ordinal above every stage's blocks


class WindowTransformer(TokenNetwork):
    """Four stages at strides 4, 8, 16 and 32 (with the published patch), attention within windows.

    The classifier takes the mean of the final norm's tokens.

    Args:
        img_size: Side of the image in pixels, or (height, width).
        in_chans: Channels of the image.
        num_classes: Outputs of the head; 0 = no head.
        global_pool: ``avg``, or empty: all tokens.
        patch_size: Side of a patch in pixels.
        embed_dim: Channels of the first stage; each next stage has twice as many.
        depths: Blocks of each stage.
        num_heads: Attention heads of each stage.
        window_size: Tokens along a window's side in each stage, at most the stage's own; null: as
            `fitting_windows` says.
        mlp_ratio: Hidden channels of the MLPs, relative to the stage's channels.
        drop_rate: Dropout before the head.
        drop_path_rate: Largest probability of skipping a residual branch, rising linearly over all blocks.

    Raises:
        ValueError: An image that does not divide by the strides or into windows, an option that is not four
            numbers, or an unknown ``global_pool``.
    """

    def __init__(
        self,
        *,
        img_size: int | Sequence[int],
        in_chans: int,
        num_classes: int,
        global_pool: str = "avg",
        patch_size: int = 4,
        embed_dim: int,
        depths: Sequence[int],
        num_heads: Sequence[int],
        window_size: Sequence[int] | None = None,
        mlp_ratio: float = 4.0,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        check_stages(STAGES, depths=depths, num_heads=num_heads)
        self.img_size, self.stride = to_2tuple(img_size), patch_size * LAST_STAGE
        grid = _grid(self.img_size, patch_size)
        self.window_size = checked_windows(grid, window_size, patch=patch_size)
        self.patch_embed = PatchEmbed(
            self.img_size, patch_size, in_chans, embed_dim, norm_layer=nn.LayerNorm, output_fmt="NHWC"
        )
        table = sincos_table(embed_dim, grid, row_first=False, class_token=False)
        self.absolute_pos_embed = nn.Parameter(table, requires_grad=False)  # in fine-tuning too
        rates = calculate_drop_path_rates(drop_path_rate, [*depths], stagewise=True)
        self.layers = nn.ModuleList(
            Stage(
                grid=(grid[0] >> stage, grid[1] >> stage),
                side=self.window_size[stage],
                dim=embed_dim << stage,
                num_heads=num_heads[stage],
                mlp_ratio=mlp_ratio,
                drop_paths=cast("list[list[float]]", rates)[stage],
                downsample=stage < STAGES - 1,
            )
            for stage in range(STAGES)
        )
        dim = embed_dim << (STAGES - 1)
        self.norm = nn.LayerNorm(dim)
        xavier(self)
        self.add_head(dim, num_classes, global_pool, fc_norm=nn.Identity(), drop=drop_rate)

    def attend(
        self, x: Float[Tensor, "batch height width dim"], origin: Bool[Tensor, "rows columns"] | None
    ) -> Float[Tensor, "batch tokens out"]:
        """All stages and the final norm; tokens row by row.

        Args:
            x: Embedded patches, without their positions.
            origin: For the last stage's tokens, which of two images each comes from; none: all from one.
        """
        x = x + self.absolute_pos_embed.view(1, *x.shape[1:])
        for layer in self.layers:
            x = layer(x, origin, self.grad_checkpointing)
        return self.norm(x).flatten(1, 2)

    def forward_features(
        self, image: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """The last stage's tokens, row by row, normed."""
        return self.attend(self.patch_embed(image), None)

    def no_weight_decay(self) -> set[str]:
        """None, as published; whoever would exempt the bias tables goes by their names."""
        return set()

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Layers for layer-wise decay: embedding, each block, head; merging goes with the block after it."""
        return {
            "stem": r"^(?:patch_embed|absolute_pos_embed)",
            "blocks": [
                (r"^layers\.(\d+)\.downsample", (AFTER_ALL_BLOCKS,)),
                (r"^layers\.([1-9]\d*)\.blocks\.(0)\.", MATCH_PREV_GROUP),
                (r"^layers\.(\d+)\.blocks\.(\d+)\.", None),
            ],
        }


def _grid(img_size: tuple[int, int], patch: int) -> tuple[int, int]:
    """(height, width) in tokens of the first stage."""
    (height, width), stride = img_size, patch * LAST_STAGE
    if height % stride or width % stride or min(img_size) < stride:
        raise ValueError(f"image_size must be a multiple of {stride} px, but is {height} x {width}")
    return height // patch, width // patch


SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"embed_dim": 32, "depths": (2, 2, 6, 2), "num_heads": (1, 2, 4, 8)},
    "base": {"embed_dim": 128, "depths": (2, 2, 18, 2), "num_heads": (4, 8, 16, 32)},
    "large": {"embed_dim": 192, "depths": (2, 2, 18, 2), "num_heads": (6, 12, 24, 48)},
    "huge": {"embed_dim": 352, "depths": (2, 2, 18, 2), "num_heads": (11, 22, 44, 88)},
}

default_cfgs = generate_default_cfgs({f"mixmim_{size}": description("patch_embed.proj") for size in SIZES})


def _build(size: str, pretrained: bool, options: dict[str, Any]) -> WindowTransformer:
    refuse_maps(f"mixmim_{size}", options)
    return build_model_with_cfg(WindowTransformer, f"mixmim_{size}", pretrained, **(SIZES[size] | options))


@register_model
def mixmim_tiny(pretrained: bool = False, **options: Any) -> WindowTransformer:  # noqa: ANN401
    """3.2 M parameters without a head: not published, for CPUs and small pictures."""
    return _build("tiny", pretrained, options)


@register_model
def mixmim_base(pretrained: bool = False, **options: Any) -> WindowTransformer:  # noqa: ANN401
    """87 M parameters without a head."""
    return _build("base", pretrained, options)


@register_model
def mixmim_large(pretrained: bool = False, **options: Any) -> WindowTransformer:  # noqa: ANN401
    """196 M parameters without a head."""
    return _build("large", pretrained, options)


@register_model
def mixmim_huge(pretrained: bool = False, **options: Any) -> WindowTransformer:  # noqa: ANN401
    """656 M parameters without a head; its weights are not published."""
    return _build("huge", pretrained, options)
