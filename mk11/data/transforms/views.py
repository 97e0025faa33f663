"""Two views of a cell for contrastive learning: the augmentation of BYOL (Grill et al. 2020, appendix B)."""

import random
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import ColorJitter, RandomResizedCrop  # type: ignore[import-untyped]

from mk11.data.transforms.colour import change_colour
from mk11.data.transforms.normalise import Normalise
from mk11.data.transforms.resize import FixedScale, ShortSide

HUE = 3  # its number in torchvision
SOLARISED = np.array([level if level < 128 else 255 - level for level in range(256)], np.uint8)


class View(NamedTuple):
    """What one of the two views has of its own."""

    blur: float  # probability
    solarise: float  # probability that levels from 128 on are inverted


class TwoViews:
    """Crop, colour jitter, grey, blur, solarise, flip: twice, the second view blurred less and solarised.

    Makes the draws of the published pipeline (torchvision on Pillow) in its order, from the same global
    generators, at a third of its time: torch's resize, OpenCV's colours and blur. Views are within 1.1 grey
    levels of its own on average; Pillow cuts off where OpenCV rounds, and its blur is three boxes.

    With data.resize=short_side both crops are cut from the whole image, as published; with fixed_scale from
    the cell at its scale.

    Args:
        resize: the policy of data.resize; either will do.
        mean: of the network's input, red, green and blue in [0, 1].
        std: likewise.
        scale: smallest and largest share of the area that a crop covers.
        ratio: smallest and largest width / height of a crop.
        jitter: probability of a change of colour.
        brightness: its largest relative change.
        contrast: likewise.
        saturation: likewise.
        hue: largest turn, as a share of the full circle.
        grey: probability of losing colour.
        blur: probability for each view.
        blur_radius: smallest and largest standard deviation of the blur, in pixels.
        solarise: probability for each view.
        hflip: probability of a mirror image.
    """

    views = 2

    def __init__(
        self,
        *,
        resize: ShortSide | FixedScale,
        mean: Sequence[float],
        std: Sequence[float],
        scale: Sequence[float],
        ratio: Sequence[float],
        jitter: float,
        brightness: float,
        contrast: float,
        saturation: float,
        hue: float,
        grey: float,
        blur: Sequence[float],
        blur_radius: Sequence[float],
        solarise: Sequence[float],
        hflip: float,
    ) -> None:
        self.resize = resize
        self.normalise = Normalise(mean=mean, std=std)
        self.size = (resize.image_size, resize.image_size)
        self.scale, self.ratio = list(scale), list(ratio)
        self.jitter = jitter
        self.colour = ColorJitter(brightness, contrast, saturation, hue)
        self.grey = grey
        self.blur_radius = tuple(blur_radius)
        self.each = [View(*probabilities) for probabilities in zip(blur, solarise, strict=True)]
        self.hflip = hflip

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], um_per_pixel: float
    ) -> Float[Tensor, "2 3 size size"]:
        """Both views of one image, drawn anew at each call (torch's and Python's global generators)."""
        whole = self.resize(image, um_per_pixel) if self.resize.keeps_scale else image
        return torch.stack([self.normalise(self.drawn(whole, view)) for view in self.each])

    def drawn(
        self, image: UInt8[np.ndarray, "height width 3"], view: View
    ) -> UInt8[np.ndarray, "size size 3"]:
        """One view, before it is normalised."""
        picture = self.cropped(image)
        if happens(self.jitter):
            picture = self.recoloured(picture)
        if happens(self.grey):
            picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        if happens(view.blur):
            picture = blurred(picture, random.uniform(*self.blur_radius))
        if happens(view.solarise):
            picture = cv2.LUT(picture, SOLARISED)
        return cv2.flip(picture, 1) if happens(self.hflip) else picture

    def cropped(self, image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "size size 3"]:
        """A random part of `image` at the network's size."""
        frame = torch.empty(1).expand(3, *image.shape[:2])  # torchvision reads nothing but its size
        top, left, height, width = RandomResizedCrop.get_params(frame, self.scale, self.ratio)
        return bilinear(image[top : top + height, left : left + width], self.size)

    def recoloured(self, picture: UInt8[np.ndarray, "size size 3"]) -> UInt8[np.ndarray, "size size 3"]:
        """Brightness, contrast, saturation and hue changed in a random order."""
        colour = self.colour
        order, *factors = ColorJitter.get_params(
            colour.brightness, colour.contrast, colour.saturation, colour.hue
        )
        for change in order.tolist():
            if factors[change] is not None:  # none is drawn for a strength of 0
                picture = changed(picture, change, factors[change])
        return picture


def happens(probability: float) -> bool:
    """Whether an event of this probability comes to pass (torch's global generator)."""
    return probability > 0 and torch.rand(1).item() < probability


def bilinear(
    image: UInt8[np.ndarray, "height width 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Antialiased bilinear resize to `size` = (rows, columns) with torch's uint8 kernel (cf. `bicubic`)."""
    if image.shape[:2] == size:
        return np.ascontiguousarray(image)
    channels_last = torch.from_numpy(np.array(image, order="C"))[None].permute(0, 3, 1, 2)
    resized = F.interpolate(channels_last, size=size, mode="bilinear", antialias=True, align_corners=False)
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())


def changed(
    picture: UInt8[np.ndarray, "height width 3"], change: int, factor: float
) -> UInt8[np.ndarray, "height width 3"]:
    """One change of colour by its number in torchvision: brightness, contrast, saturation or hue."""
    if change == HUE:
        return hue_turned(picture, factor)
    factors = [1.0, 1.0, 1.0]
    factors[change] = factor
    return change_colour(picture, *factors)


def hue_turned(
    picture: UInt8[np.ndarray, "height width 3"], turn: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Every hue moved by `turn` of the full circle, in 256 steps."""
    planes = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV_FULL)
    planes[..., 0] += np.uint8(int(turn * 255) % 256)
    return cv2.cvtColor(planes, cv2.COLOR_HSV2RGB_FULL)


def blurred(
    picture: UInt8[np.ndarray, "height width 3"], radius: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Gaussian blur of standard deviation `radius` in pixels."""
    return cv2.GaussianBlur(picture, (0, 0), radius, borderType=cv2.BORDER_REPLICATE)
