"""ConvMAE: masked convolution meets masked autoencoders (Gao et al. 2022), in the paper's order.

The mask is drawn on the coarsest grid and holds for all stages. The convolutional stages run on the visible
patches alone, each a picture of its own: only their depth-wise convolutions look beyond a patch, and see
zeros where a patch is removed. The published code computes all places and then leaves the removed ones
aside; the numbers are the same.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mk11.errors import UserError
from mk11.models.encoders.cblock import merge, visible_places
from mk11.models.encoders.convmae import ConvViT
from mk11.ssl.decoder import PixelDecoder
from mk11.ssl.losses import masked_pixel_loss
from mk11.ssl.masking import PatchMask, check_mask_ratio, random_mask
from mk11.ssl.method import Method, Outcome, Pictures, in_colour
from mk11.ssl.patches import normalise_patches, patchify

DECODER_NORM_EPS = 1e-6


class ConvMAE(Method):
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
    views = 1

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
        super().__init__()
        self.encoder = _checked(encoder)
        self.patch, self.grid = math.prod(self.encoder.patch_sizes), self.encoder.grid_size
        self.mask_ratio = mask_ratio
        self.truncate = reference_compatible
        self.normalise_target = normalise_target
        check_mask_ratio(mask_ratio, math.prod(self.grid), truncate=self.truncate)
        _, second, third = self.encoder.patch_sizes
        self.places = (second * third, third)  # along a patch's side, in stages 1 and 2
        dims = self.encoder.embed_dims
        self.stage1_output_decode = nn.Conv2d(dims[0], dims[2], self.places[0], stride=self.places[0])
        self.stage2_output_decode = nn.Conv2d(dims[1], dims[2], self.places[1], stride=self.places[1])
        self.decoder = PixelDecoder(
            encoder_dim=dims[2],
            dim=decoder_dim,
            depth=decoder_depth,
            num_heads=decoder_heads,
            mlp_ratio=self.encoder.mlp_ratios[0],  # as published: the first stage's
            grid=self.grid,
            patch=self.patch,
            norm_eps=DECODER_NORM_EPS,
            class_token=False,
        )

    def draw(self, batch: int, device: torch.device) -> Float[Tensor, "batch patches"]:
        """One number for each patch of each image."""
        return torch.rand(batch, math.prod(self.grid), device=device)

    def forward(
        self,
        image: Float[Tensor, "batch 3 height width"],
        *,
        noise: Float[Tensor, "batch patches"],
        progress: float,
    ) -> Outcome:
        """Mean squared error on the removed patches."""
        mask, pixels = self.mask(noise), patchify(image, self.patch)
        predicted = self.predict(pixels, mask)  # (batch, patches, pixels)
        target = normalise_patches(pixels) if self.normalise_target else pixels
        return Outcome(masked_pixel_loss(predicted, target, mask.removed), {})

    def mask(self, noise: Float[Tensor, "batch patches"]) -> PatchMask:
        """The patches of each image that are removed."""
        return random_mask(noise, mask_ratio=self.mask_ratio, truncate=self.truncate)

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

    def predict(
        self, pixels: Float[Tensor, "batch patches pixels"], mask: PatchMask
    ) -> Float[Tensor, "batch patches pixels"]:
        """Pixels of every patch, from the visible ones."""
        return self.decoder(self.decoder.in_place(self.encode(pixels, mask), mask))

    @torch.no_grad()
    def pictures(
        self, image: Float[Tensor, "batch 3 height width"], *, noise: Float[Tensor, "batch patches"]
    ) -> Pictures:
        """The visible patches; every patch as predicted, visible ones poorly, for no loss asks for them."""
        mask, pixels = self.mask(noise), patchify(image, self.patch)
        shown, predicted = pixels * ~mask.removed[:, :, None], self.predict(pixels, mask)
        return in_colour(shown, predicted, pixels, self.patch, self.grid, normalised=self.normalise_target)


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
