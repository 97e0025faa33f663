"""Random resized crops: a part of the picture at the network's size."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from timm.data.transforms import RandomResizedCropAndInterpolation
from torch import Tensor

from mk11.data.transforms.normalise import Normalise
from mk11.data.transforms.resize import FixedScale, ShortSide, bicubic


class RandomResizedCrop:
    """A random part of an image at the network's size, mirrored or not; timm's own draws (torch, `random`).

    Args:
        size: Side of the result in pixels.
        scale: Smallest and largest share of the area that a crop covers.
        ratio: Smallest and largest width / height of a crop.
        hflip: Probability of a mirror image.
    """

    def __init__(self, *, size: int, scale: Sequence[float], ratio: Sequence[float], hflip: float) -> None:
        self.size = (size, size)
        self.draw = RandomResizedCropAndInterpolation(self.size, tuple(scale), tuple(ratio), "bicubic")
        self.hflip = hflip

    def __call__(self, image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "size size 3"]:
        """The part, antialiased and bicubic."""
        frame = torch.empty(1).expand(3, *image.shape[:2])  # timm reads nothing but its size
        top, left, height, width = self.draw.get_params(frame, self.draw.scale, self.draw.ratio)
        part = bicubic(image[top : top + height, left : left + width], self.size)
        return cv2.flip(part, 1) if torch.rand(1).item() < self.hflip else part


class Crop:
    """A random resized crop, mirrored or not, normalised: the augmentation of MAE, ConvMAE and MixMIM.

    With data.resize=short_side the crop is cut from the whole image, as published. With fixed_scale it is cut
    from the cell at its scale, so that the crop alone, at most ``min(scale) ** -0.5`` times, changes a size.

    Args:
        resize: The policy of data.resize; either will do.
        mean: Of the network's input, red, green and blue in [0, 1].
        std: Likewise.
        scale: Smallest and largest share of the area that a crop covers.
        ratio: Smallest and largest width / height of a crop.
        hflip: Probability of a mirror image.
    """

    def __init__(
        self,
        *,
        resize: ShortSide | FixedScale,
        mean: Sequence[float],
        std: Sequence[float],
        scale: Sequence[float],
        ratio: Sequence[float],
        hflip: float,
    ) -> None:
        self.resize = resize
        self.crop = RandomResizedCrop(size=resize.image_size, scale=scale, ratio=ratio, hflip=hflip)
        self.normalise = Normalise(mean=mean, std=std)

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], um_per_pixel: float
    ) -> Float[Tensor, "3 size size"]:
        """The network's input for one image, drawn anew at each call (torch's and `random`'s generators)."""
        whole = self.resize(image, um_per_pixel) if self.resize.keeps_scale else image
        return self.normalise(self.crop(whole))
