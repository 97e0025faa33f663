"""Augmentation that leaves a cell's size readable: turns, flips, shifts, a mild zoom."""

import random
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from mk11.data.transforms.colour import colour_jitter
from mk11.data.transforms.normalise import Normalise
from mk11.data.transforms.resize import FixedScale, ShortSide
from mk11.errors import UserError


class Scaled:
    """Any turn, a flip, a shift, a mild zoom in the one warp of `FixedScale`; a small change of colour.

    Args:
        resize: must be data.resize=fixed_scale.
        mean: of the network's input, red, green and blue in [0, 1].
        std: likewise.
        zoom: smallest and largest factor on size.
        shift: largest shift in each direction, share of the side.
        brightness: largest relative change.
        contrast: likewise.
        saturation: likewise.

    Raises:
        UserError: with data.resize=short_side.
    """

    def __init__(
        self,
        *,
        resize: ShortSide | FixedScale,
        mean: Sequence[float],
        std: Sequence[float],
        zoom: Sequence[float],
        shift: float,
        brightness: float,
        contrast: float,
        saturation: float,
    ) -> None:
        if not isinstance(resize, FixedScale):
            raise UserError(
                "augment=scaled needs data.resize=fixed_scale, but it is short_side, which has given up the "
                "micrometres that the mild zoom is there to keep: use augment=light or augment=paper"
            )
        self.resize = resize
        self.normalise = Normalise(mean=mean, std=std)
        self.zoom = tuple(zoom)
        self.reach = shift * resize.image_size  # pixels
        self.strength = {"brightness": brightness, "contrast": contrast, "saturation": saturation}

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], um_per_pixel: float
    ) -> Float[Tensor, "3 size size"]:
        """The network's input for one image, drawn anew at each call (global `random`)."""
        warped = self.resize(
            image,
            um_per_pixel,
            zoom=random.uniform(*self.zoom),
            angle=random.uniform(0, 360),
            shift=(random.uniform(-self.reach, self.reach), random.uniform(-self.reach, self.reach)),
            flip=random.random() < 0.5,
        )
        return self.normalise(colour_jitter(warped, **self.strength))
