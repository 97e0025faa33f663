"""From grey levels to the network's normalised input."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


class Normalise:
    """(level / 255 - mean) / std in each channel, as one table look-up a value.

    The table holds torch's own float32 results for the 256 levels, so the output equals torchvision's
    ToTensor and Normalize bit for bit, at a third of their time.

    Args:
        mean: mean of red, green and blue, in [0, 1].
        std: standard deviation of the three, on the same scale.
    """

    def __init__(self, *, mean: Sequence[float], std: Sequence[float]) -> None:
        levels = torch.arange(256, dtype=torch.float32).div_(255)
        table = levels.sub(torch.tensor(list(mean))[:, None]).div_(torch.tensor(list(std))[:, None])
        self.table = table.numpy()  # (3, 256)

    def __call__(self, image: UInt8[np.ndarray, "height width 3"]) -> Float[Tensor, "3 height width"]:
        """A new tensor, contiguous with channels first."""
        normalised = np.empty((3, *image.shape[:2]), np.float32)
        for channel, plane in enumerate(cv2.split(image)):
            cv2.LUT(plane, self.table[channel], dst=normalised[channel])
        return torch.from_numpy(normalised)
