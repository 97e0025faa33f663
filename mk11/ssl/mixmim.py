"""MixMIM, later named MixMAE (Liu et al. 2023): mix two images, reconstruct both; in the paper's order."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mk11.errors import UserError
from mk11.models.encoders.mixmim import WindowTransformer
from mk11.models.encoders.windows import on_finer_grid
from mk11.ssl.decoder import PixelDecoder
from mk11.ssl.masking import check_patches, share_count
from mk11.ssl.method import Method, Outcome, Pictures, in_colour
from mk11.ssl.patches import normalise_patches, patchify

DECODER_MLP_RATIO = 4.0
NORM_EPS = 1e-5  # of the decoder, as of MixMIM's encoder; MAE's and ConvMAE's have 1e-6


class MixMIM(Method):
    """Replace some patches of each image by another's, keep the two apart inside, reconstruct both.

    The partner of image i is image B - 1 - i of the same batch of B, so that every image is mixed twice and
    all its patches are hidden once. One mask holds for the whole batch.

    Args:
        encoder: A `WindowTransformer` without a head.
        mask_ratio: Share of patches replaced.
        normalise_target: Predict each patch's pixels with its own mean 0 and variance 1.
        decoder_dim: Channels of the decoder.
        decoder_depth: Its blocks.
        decoder_heads: Attention heads of each.
        reference_compatible: Truncate the number of replaced patches as the official code does, not round it.

    Raises:
        UserError: An encoder of another kind, or a value that does not suit it.
    """

    encoder: WindowTransformer

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
        self.patch = self.encoder.stride
        self.grid = (self.encoder.img_size[0] // self.patch, self.encoder.img_size[1] // self.patch)
        patches = math.prod(self.grid)
        check_patches(patches)
        self.replaced = share_count(patches, mask_ratio, truncate=reference_compatible)
        if not 0 < self.replaced < patches:
            raise UserError(
                f"ssl.mask_ratio must leave at least one of {patches} patches in place and replace one, but"
                f" {mask_ratio} replaces {self.replaced}"
            )
        self.normalise_target = normalise_target
        self.decoder = PixelDecoder(
            encoder_dim=self.encoder.num_features,
            dim=decoder_dim,
            depth=decoder_depth,
            num_heads=decoder_heads,
            mlp_ratio=DECODER_MLP_RATIO,
            grid=self.grid,
            patch=self.patch,
            norm_eps=NORM_EPS,
            class_token=False,
        )

    def draw(self, batch: int, device: torch.device) -> Float[Tensor, "1 patches"]:
        """One number for each patch, for all images alike."""
        return torch.rand(1, math.prod(self.grid), device=device)

    def check_batch(self, per_device: int) -> None:
        """Images are mixed in pairs: the middle one of an odd batch would be mixed with itself.

        Raises:
            UserError: An odd number of images.
        """
        if per_device % 2:
            raise UserError(
                "batch_size must give each device an even number of images per forward pass for ssl=mixmim,"
                f" which mixes them in pairs, but gives {per_device}"
            )

    def forward(
        self,
        image: Float[Tensor, "batch 3 height width"],
        *,
        noise: Float[Tensor, "1 patches"],
        progress: float,
    ) -> Outcome:
        """Mean squared error of both images' patches wherever the mixed image hides them (sec. 3.1)."""
        predicted = self.predict(image, self.mask(noise))
        return Outcome((predicted - self.target(image)).square().mean(), {})

    def mask(self, noise: Float[Tensor, "1 patches"]) -> Bool[Tensor, " patches"]:
        """True is replaced by the partner's: the patches with the smallest noise."""
        rank = noise[0].argsort().argsort()
        return rank < self.replaced

    def encode(
        self, image: Float[Tensor, "batch 3 height width"], replaced: Bool[Tensor, " patches"]
    ) -> Float[Tensor, "batch patches dim"]:
        """Tokens of the mixed images, in which patches of different images never saw each other."""
        origin = replaced.view(self.grid)
        x = self.encoder.patch_embed(image)  # (batch, rows, columns, dim) at stride 4
        partner = on_finer_grid(origin, (x.shape[1], x.shape[2]))[:, :, None]
        return self.encoder.attend(torch.where(partner, x.flip(0), x), origin)

    def reconstruct(
        self, tokens: Float[Tensor, "batch patches dim"], replaced: Bool[Tensor, " patches"]
    ) -> Float[Tensor, "twice patches pixels"]:
        """First each mixed image's own image, then its partner; mask tokens stand where the other one is."""
        embedded, partner = self.decoder.embed(tokens), replaced[:, None]
        hidden = self.decoder.mask_token.to(embedded.dtype)
        own = torch.where(partner, hidden, embedded)
        other = torch.where(partner, embedded, hidden)
        return self.decoder(torch.cat([own, other]))

    def predict(
        self, image: Float[Tensor, "batch 3 height width"], replaced: Bool[Tensor, " patches"]
    ) -> Float[Tensor, "batch patches pixels"]:
        """Every patch of every image, from the mixed image that hides it."""
        own, other = self.reconstruct(self.encode(image, replaced), replaced).chunk(2)
        return torch.where(replaced[:, None], own, other.flip(0))

    def target(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch patches pixels"]:
        """What the decoder is to predict."""
        patches = patchify(image, self.patch)
        return normalise_patches(patches) if self.normalise_target else patches

    @torch.no_grad()
    def pictures(
        self, image: Float[Tensor, "batch 3 height width"], *, noise: Float[Tensor, "1 patches"]
    ) -> Pictures | None:
        """The mixed images, each image as predicted where it was hidden, and the image.

        Of an odd number the last is left out, as it has no partner; None of a single image.
        """
        image = image[: len(image) // 2 * 2]
        if not len(image):
            return None
        replaced, pixels = self.mask(noise), patchify(image, self.patch)
        mixed = torch.where(replaced[:, None], pixels.flip(0), pixels)
        predicted = self.predict(image, replaced)
        return in_colour(mixed, predicted, pixels, self.patch, self.grid, normalised=self.normalise_target)


def _checked(encoder: nn.Module) -> WindowTransformer:
    if isinstance(encoder, WindowTransformer):
        return encoder
    raise UserError(
        f"ssl=mixmim needs a mixmim network as model, such as model=mixmim, but has {type(encoder).__name__}"
    )
