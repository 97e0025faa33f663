"""ConvMAE: masked convolution meets masked autoencoders (Gao et al. 2022), in the paper's order.

The mask is drawn on the coarsest grid and holds for all stages. The convolutional stages run on the visible
patches alone, each a picture of its own: only their depth-wise convolutions look beyond a patch, and see
zeros where a patch is removed. The published code computes all places and then leaves the removed ones
aside; the numbers are the same.
"""

import math

from jaxtyping import Float
from torch import Tensor, nn

from mk11.errors import UserError
from mk11.models.encoders.cblock import merge, visible_places
from mk11.models.encoders.convmae import NORM_EPS, ConvViT
from mk11.ssl.autoencoder import MaskedAutoencoder
from mk11.ssl.decoder import PixelDecoder
from mk11.ssl.masking import PatchMask


class ConvMAE(MaskedAutoencoder):
    """Masked autoencoder on a hybrid of convolutions and attention.

    Args:
        encoder: A `ConvViT` without head.
        mask_ratio: Share of patches removed.
        normalise_target: Predict each patch's pixels with its own mean 0 and variance 1.
        decoder_dim: Channels of the decoder.
        decoder_depth: Its blocks.
        decoder_heads: Attention heads of each.
        reference_compatible: Truncate the number of visible patches as the official code does, not round it.

    Raises:
        UserError: An encoder of another kind, or a value that does not suit it.
    """

    encoder: ConvViT

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
        network = _checked(encoder)
        super().__init__(
            patch=math.prod(network.patch_sizes),
            grid=network.grid_size,
            mask_ratio=mask_ratio,
            normalise_target=normalise_target,
            truncate=reference_compatible,
        )
        self.encoder = network
        _, second, third = network.patch_sizes
        self.places = (second * third, third)  # along a patch's side, in stages 1 and 2
        dims = network.embed_dims
        self.stage1_output_decode = nn.Conv2d(dims[0], dims[2], self.places[0], stride=self.places[0])
        self.stage2_output_decode = nn.Conv2d(dims[1], dims[2], self.places[1], stride=self.places[1])
        self.decoder = PixelDecoder(
            encoder_dim=dims[2],
            dim=decoder_dim,
            depth=decoder_depth,
            num_heads=decoder_heads,
            mlp_ratio=network.mlp_ratios[0],  # as published: the first stage's
            grid=self.grid,
            patch=self.patch,
            norm_eps=NORM_EPS,
            class_token=False,
        )

    def encode(
        self, pixels: Float[Tensor, "batch patches pixels"], mask: PatchMask
    ) -> Float[Tensor, "batch visible dim"]:
        """Tokens of the visible patches, in the order of ``mask.kept``, fused from all three stages.

        The first two stages' patches become one token each and are added before the final norm (sec. 3.3).
        """
        places = [visible_places(mask.kept, self.grid, factor) for factor in self.places]
        patches = mask.visible(pixels).unflatten(-1, (self.patch, self.patch, 3))
        first, second, tokens = self.encoder.stages(patches, (places[0], places[1]))
        positions = mask.visible(self.encoder.pos_embed.expand(len(pixels), -1, -1))
        tokens = self.encoder.attend(tokens + positions)
        tokens = tokens + merge(self.stage1_output_decode, first).flatten(1, -2)
        tokens = tokens + merge(self.stage2_output_decode, second).flatten(1, -2)
        return self.encoder.norm(tokens)


def _checked(encoder: nn.Module) -> ConvViT:
    """The encoder, if it is one that ConvMAE can train, its position table fixed meanwhile."""
    name = type(encoder).__name__
    if not isinstance(encoder, ConvViT):
        raise UserError(
            f"ssl=convmae needs a ConvMAE network as model, such as model=convmae, but has {name}"
        )
    if isinstance(encoder.norm, nn.Identity):
        raise UserError("ssl=convmae needs an encoder that ends in a norm, but model.options take it away")
    encoder.pos_embed.requires_grad_(False)
    return encoder
