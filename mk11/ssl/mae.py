"""Masked autoencoder (He et al. 2022): remove most patches, encode the rest, predict the removed pixels."""

from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.layers import PatchEmbed
from timm.models import checkpoint_seq
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from mk11.errors import UserError
from mk11.models.encoders.vit import NORM_EPS, MAEVisionTransformer
from mk11.ssl.autoencoder import MaskedAutoencoder
from mk11.ssl.decoder import PixelDecoder
from mk11.ssl.masking import PatchMask

DECODER_MLP_RATIO = 4.0


class MAE(MaskedAutoencoder):
    """Masked autoencoder on any of timm's Vision Transformers with a class token.

    Args:
        encoder: A network without head (``num_classes=0``).
        mask_ratio: Share of patches removed.
        normalise_target: Predict each patch's pixels with its own mean 0 and variance 1 (sec. 3).
        decoder_dim: Channels of the decoder.
        decoder_depth: Its blocks.
        decoder_heads: Attention heads of each.
        reference_compatible: Truncate the number of visible patches as the official code does, not round it.

    Raises:
        UserError: An encoder of another kind, or a value that does not suit it.
    """

    def __init__(
        self,
        *,
        encoder: nn.Module,
        mask_ratio: float,
        normalise_target: bool,
        decoder_dim: int,
        decoder_depth: int,
        decoder_heads: int,
        reference_compatible: bool,
    ) -> None:
        vit = _checked(encoder)
        super().__init__(
            patch=int(vit.patch_embed.patch_size[0]),
            grid=tuple(vit.patch_embed.grid_size),
            mask_ratio=mask_ratio,
            normalise_target=normalise_target,
            truncate=reference_compatible,
        )
        self.encoder: Any = vit  # the parts of timm's networks have no types
        self.decoder = PixelDecoder(
            encoder_dim=vit.embed_dim,
            dim=decoder_dim,
            depth=decoder_depth,
            num_heads=decoder_heads,
            mlp_ratio=DECODER_MLP_RATIO,
            grid=self.grid,
            patch=self.patch,
            norm_eps=NORM_EPS,
            class_token=True,
        )

    def encode(
        self, pixels: Float[Tensor, "batch patches pixels"], mask: PatchMask
    ) -> Float[Tensor, "batch visible_and_class dim"]:
        """The class token and the visible patches, in the order of ``mask.kept``; no other is processed."""
        network = self.encoder
        positions = network.pos_embed[:, -pixels.shape[1] :].expand(len(pixels), -1, -1)
        patches = self._embedded(mask.visible(pixels)) + mask.visible(positions)  # (batch, visible, dim)
        first = _first_tokens(network).expand(len(pixels), -1, -1)
        tokens = network.norm_pre(torch.cat([first, patches], dim=1))
        if network.grad_checkpointing:
            tokens = checkpoint_seq(network.blocks, tokens, use_reentrant=False)
        else:
            tokens = network.blocks(tokens)
        tokens = network.norm(tokens)
        return torch.cat([tokens[:, :1], tokens[:, first.shape[1] :]], dim=1)  # registers end here

    def _embedded(self, pixels: Float[Tensor, "batch visible pixels"]) -> Float[Tensor, "batch visible dim"]:
        """Patches as tokens: the patch embedding, whose stride is its kernel, as one matrix product."""
        embed = self.encoder.patch_embed
        matrix = embed.proj.weight.permute(0, 2, 3, 1).flatten(1)  # (dim, pixels), the channel fastest
        return embed.norm(F.linear(pixels, matrix, embed.proj.bias))


def _first_tokens(network: Any) -> Float[Tensor, "1 prefix dim"]:  # noqa: ANN401
    """Class token and registers, with their positions where the network has such."""
    tokens = [network.cls_token] if network.reg_token is None else [network.cls_token, network.reg_token]
    first = torch.cat(tokens, dim=1)
    return first if network.no_embed_class else first + network.pos_embed[:, : first.shape[1]]


def _checked(network: nn.Module) -> VisionTransformer:
    """The network, if it is a ViT that MAE can train; MAE's own keeps its position table fixed meanwhile."""
    if not _is_plain_vit(network):
        raise UserError(
            "ssl=mae needs as model a Vision Transformer with a class token, a position embedding and patches"
            f" embedded one by one, such as model=mae, but has {type(network).__name__}"
        )
    vit = cast(VisionTransformer, network)
    problem = _unsuited_option(vit)
    if problem:
        raise UserError(problem)
    if isinstance(vit, MAEVisionTransformer):
        cast(Tensor, vit.pos_embed).requires_grad_(False)
    return vit


def _is_plain_vit(network: nn.Module) -> bool:
    """Whether a patch's token depends on its own pixels alone, and each prefix token is one we know."""
    return (
        isinstance(network, VisionTransformer)
        and network.cls_token is not None
        and network.pos_embed is not None
        and network.num_prefix_tokens == 1 + network.num_reg_tokens
        and type(network.patch_embed) is PatchEmbed
    )


def _unsuited_option(vit: VisionTransformer) -> str:
    """Why MAE cannot train a ViT with such options; empty where it can."""
    if isinstance(vit.norm, nn.Identity):
        return "ssl=mae needs a norm after the model's last block, but model.options leave it out"
    if vit.dynamic_img_size and vit.patch_embed.dynamic_img_pad:  # so made for an image of broken patches
        patch = vit.patch_embed.patch_size[0]
        return (
            f"image_size must be a multiple of the patch, {patch} px, for ssl=mae, and model.options must"
            " leave out dynamic_img_size and dynamic_img_pad"
        )
    if vit.dynamic_img_size:
        return "model.options must leave out dynamic_img_size for ssl=mae, which has one grid of patches"
    if vit.pos_drop.p or not isinstance(vit.patch_drop, nn.Identity):
        return (
            "model.options must leave out pos_drop_rate and patch_drop_rate for ssl=mae, which removes"
            " patches itself"
        )
    if vit.attn_pool is not None:
        return (
            "model.options must have a global_pool of token or avg for ssl=mae, which would leave the layers"
            f" of {vit.global_pool} untrained"
        )
    return ""
