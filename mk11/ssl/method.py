"""What every self-supervised method offers its trainer."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mk11.ssl.patches import denormalise_patches, unpatchify


class Outcome(NamedTuple):
    """One step's loss, and what else is worth a line in the log."""

    loss: Float[Tensor, ""]
    logged: dict[str, Tensor | float]  # further measures by name, such as "chance" or "momentum"


class Pictures(NamedTuple):
    """What a masked method saw, made of it, and should have made; as the network's input, normalised."""

    masked: Float[Tensor, "batch 3 height width"]  # removed patches are 0, the data's mean colour
    predicted: Float[
        Tensor, "batch 3 height width"
    ]  # what was hidden as predicted, in the image's own colours
    true: Float[Tensor, "batch 3 height width"]


def in_colour(
    masked: Float[Tensor, "batch patches pixels"],
    predicted: Float[Tensor, "batch patches pixels"],
    true: Float[Tensor, "batch patches pixels"],
    patch: int,
    grid: tuple[int, int],
    *,
    normalised: bool,
) -> Pictures:
    """Patches as pictures; where the prediction is of normalised pixels, in the true patches' colours."""
    predicted = predicted.float()
    if normalised:
        predicted = denormalise_patches(predicted, true)
    return Pictures(*(unpatchify(patches, patch, grid) for patches in (masked, predicted, true)))


class Method(nn.Module, ABC):
    """An encoder and the task around it.

    A trainer draws the noise of a step (`draw`), calls the method and minimises the outcome's loss. It keeps
    ``encoder`` when training ends. Methods draw no random numbers of their own: the same weights, images and
    noise give the same loss.
    """

    encoder: nn.Module
    views: int = 1  # images of each cell in a batch: 2 for contrastive methods
    # Whether a batch opens an optimiser step: a momentum encoder follows once a step. Whoever accumulates the
    # gradients of several batches sets it to False for all but the first of them.
    first_of_step: bool = True

    def draw(self, batch: int, device: torch.device) -> Tensor:
        """The noise of one step for ``batch`` images, from torch's generator of ``device``.

        (batch, patches), one number for each patch of each image; (1, patches) where one mask holds for all
        images; empty, (0,), for a method without masks.
        """
        return torch.empty(0, device=device)

    @abstractmethod
    def forward(self, image: Tensor, *, noise: Tensor, progress: float) -> Outcome:
        """The loss of a batch.

        Args:
            image: (batch, 3, height, width); (batch, 2, 3, height, width) where ``views`` is 2.
            noise: What `draw` gave for this step.
            progress: Share of all epochs that is over, in [0, 1).
        """

    def check_batch(self, per_device: int) -> None:
        """Whether the method takes so many images per forward pass on each device.

        Raises:
            UserError: It does not.
        """

    def pictures(self, image: Tensor, *, noise: Tensor) -> Pictures | None:
        """Masked, predicted and true images; None where a method predicts no pixels."""
        return None
