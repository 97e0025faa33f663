"""Which patches are hidden: a pure function of the noise handed in."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mk11.errors import UserError


class PatchMask(NamedTuple):
    """Patches that stay visible, in the order of their noise, not of the image, and patches removed."""

    kept: Int[Tensor, "batch visible"]
    removed: Bool[Tensor, "batch patches"]  # True is removed

    def visible(self, tokens: Float[Tensor, "batch patches dim"]) -> Float[Tensor, "batch visible dim"]:
        """The visible ones of all patches' tokens, in the order of ``kept``."""
        return tokens.gather(1, self.kept[:, :, None].expand(-1, -1, tokens.shape[-1]))


def share_count(patches: int, share: float, *, truncate: bool) -> int:
    """How many of ``patches`` a share is: rounded, or truncated as in the reference implementations.

    A half is rounded to the even number: 0.5 of 49 patches are 24, of 9 are 4, of 11 are 6. Truncation
    depends on the last bit of a float: 0.2 of 20 patches, computed as 20 * (1 - 0.8), gives 3.
    """
    exact = patches * share
    return int(exact) if truncate else round(exact)


def check_mask_ratio(mask_ratio: float, patches: int, *, truncate: bool) -> None:
    """Whether a mask leaves something to see and something to predict.

    Raises:
        UserError: It does not, or the image is a single patch.
    """
    check_patches(patches)
    kept = share_count(patches, 1 - mask_ratio, truncate=truncate)
    if not 0 < kept < patches:
        raise UserError(
            f"ssl.mask_ratio must leave at least one of {patches} patches visible and one removed, but"
            f" {mask_ratio} leaves {kept} visible"
        )


def check_patches(patches: int) -> None:
    """Whether an image has enough patches for a mask.

    Raises:
        UserError: It is a single one.
    """
    if patches < 2:
        raise UserError(
            "image_size must give the network at least 2 patches, so that one can be masked, but gives"
            f" {patches}"
        )


def random_mask(noise: Float[Tensor, "batch patches"], *, mask_ratio: float, truncate: bool) -> PatchMask:
    """Keep the patches with the smallest noise, as many in every image (MAE, sec. 3).

    Args:
        noise: One number for each patch of each image; whoever calls draws it.
        mask_ratio: Share of patches to remove, in [0, 1).
        truncate: How the number kept is rounded (`share_count`).
    """
    keep = share_count(noise.shape[1], 1 - mask_ratio, truncate=truncate)
    kept = noise.argsort(dim=1)[:, :keep]  # smallest first
    removed = torch.ones_like(noise, dtype=torch.bool).scatter(1, kept, False)
    return PatchMask(kept=kept, removed=removed)
