"""Light augmentation: a cell has no up and no left."""

import random
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from mk11.data.transforms.colour import colour_jitter
from mk11.data.transforms.normalise import Normalise
from mk11.data.transforms.resize import FixedScale, ShortSide


class Light:
    """One of the square's eight flips and quarter turns, and a small change of colour.

    Moves whole pixels, so nothing is resampled a second time and micrometres stay what they are.

    Args:
        resize: the policy of data.resize; either will do.
        mean: of the network's input, red, green and blue in [0, 1].
        std: likewise.
        brightness: largest relative change.
        contrast: likewise.
        saturation: likewise.
    """

    def __init__(
        self,
        *,
        resize: ShortSide | FixedScale,
        mean: Sequence[float],
        std: Sequence[float],
        brightness: float,
        contrast: float,
        saturation: float,
    ) -> None:
        self.resize = resize
        self.normalise = Normalise(mean=mean, std=std)
        self.strength = {"brightness": brightness, "contrast": contrast, "saturation": saturation}

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], um_per_pixel: float
    ) -> Float[Tensor, "3 size size"]:
        """The network's input for one image, drawn anew at each call (global `random`)."""
        turned = turn_and_flip(self.resize(image, um_per_pixel), random.randrange(4), random.random() < 0.5)
        return self.normalise(colour_jitter(turned, **self.strength))


def turn_and_flip(
    image: UInt8[np.ndarray, "side side 3"], quarters: int, flip: bool
) -> UInt8[np.ndarray, "side side 3"]:
    """`quarters` quarter turns counter-clockwise, then a mirror image where `flip`."""
    turned = np.ascontiguousarray(np.rot90(image, quarters))
    return cv2.flip(turned, 1) if flip else turned
