"""What MAE and ConvMAE share: remove patches, encode the visible ones, predict the removed ones' pixels."""

import math
from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from mk11.ssl.decoder import PixelDecoder
from mk11.ssl.losses import masked_pixel_loss
from mk11.ssl.masking import PatchMask, check_mask_ratio, random_mask
from mk11.ssl.method import Method, Outcome, Pictures, in_colour
from mk11.ssl.patches import normalise_patches, patchify


class MaskedAutoencoder(Method):
    """Base class of the methods whose encoder sees the visible patches alone.

    A subclass sets ``encoder`` and ``decoder`` and says how patches are encoded.

    Args:
        patch: Side of a patch in pixels.
        grid: (rows, columns) of patches.
        mask_ratio: Share of patches removed.
        normalise_target: Predict each patch's pixels with its own mean 0 and variance 1.
        truncate: How the number of visible patches is rounded (`mk11.ssl.masking.share_count`).

    Raises:
        UserError: A share that leaves nothing to see or nothing to predict.
    """

    decoder: PixelDecoder

    def __init__(
        self,
        *,
        patch: int,
        grid: tuple[int, int],
        mask_ratio: float,
        normalise_target: bool,
        truncate: bool,
    ) -> None:
        super().__init__()
        check_mask_ratio(mask_ratio, math.prod(grid), truncate=truncate)
        self.patch, self.grid = patch, grid
        self.mask_ratio = mask_ratio
        self.normalise_target = normalise_target
        self.truncate = truncate

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
        predicted = self.predict(pixels, mask)
        return Outcome(masked_pixel_loss(predicted, self.target(pixels), mask.removed), {})

    def mask(self, noise: Float[Tensor, "batch patches"]) -> PatchMask:
        """The patches of each image that are removed."""
        return random_mask(noise, mask_ratio=self.mask_ratio, truncate=self.truncate)

    @abstractmethod
    def encode(
        self, pixels: Float[Tensor, "batch patches pixels"], mask: PatchMask
    ) -> Float[Tensor, "batch tokens dim"]:
        """Tokens of visible patches in the order of ``mask.kept``, after a class token if there is one."""

    def predict(
        self, pixels: Float[Tensor, "batch patches pixels"], mask: PatchMask
    ) -> Float[Tensor, "batch patches pixels"]:
        """Pixels of every patch, from the visible ones."""
        return self.decoder(self.decoder.in_place(self.encode(pixels, mask), mask))

    def target(self, pixels: Float[Tensor, "batch patches pixels"]) -> Float[Tensor, "batch patches pixels"]:
        """What the decoder is to predict."""
        return normalise_patches(pixels) if self.normalise_target else pixels

    @torch.no_grad()
    def pictures(
        self, image: Float[Tensor, "batch 3 height width"], *, noise: Float[Tensor, "batch patches"]
    ) -> Pictures:
        """The visible patches; these with the removed ones as predicted; the image.

        What is predicted for visible patches is noise, as no loss asks for it.
        """
        mask, pixels = self.mask(noise), patchify(image, self.patch)
        removed = mask.removed[:, :, None]
        predicted = torch.where(removed, self.predict(pixels, mask).float(), self.target(pixels))
        shown = pixels * ~removed
        return in_colour(shown, predicted, pixels, self.patch, self.grid, normalised=self.normalise_target)
