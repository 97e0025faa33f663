"""No augmentation: how validation and test images reach the network."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from mk11.data.transforms.normalise import Normalise
from mk11.data.transforms.resize import FixedScale, ShortSide


class Plain:
    """Resize and normalise; the same result every time.

    Args:
        resize: the policy of data.resize.
        mean: of the network's input, red, green and blue in [0, 1].
        std: likewise.
    """

    def __init__(
        self, *, resize: ShortSide | FixedScale, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        self.resize = resize
        self.normalise = Normalise(mean=mean, std=std)

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], um_per_pixel: float
    ) -> Float[Tensor, "3 size size"]:
        """The network's input for one image."""
        return self.normalise(self.resize(image, um_per_pixel))
