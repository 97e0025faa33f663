"""Labelled examples that a colour rule is learnt from: boxes in fields, or crops of single cells."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from mk11.data.images import content_hash

Picture = UInt8[np.ndarray, "height width 3"]
Mask = Bool[np.ndarray, "height width"]
Boxes = Float64[np.ndarray, "boxes 4"]


@dataclass(frozen=True)
class Example:
    """A picture and the boxes (x0, y0, x1, y1; px) of all its cells; outside them is none."""

    image: Picture
    boxes: Boxes
    um_per_pixel: float | None = None
    is_crop: bool = False  # of one cell: its box nearly fills the picture

    @property
    def sides(self) -> Float64[np.ndarray, " boxes"]:
        """sqrt(width * height) of the boxes that the picture's edge does not cut, px."""
        height, width, _ = self.image.shape
        x0, y0, x1, y1 = self.boxes.T
        whole = (x0 > 1) & (y0 > 1) & (x1 < width - 1) & (y1 < height - 1)
        return np.sqrt((x1 - x0) * (y1 - y0))[whole]


def crop_example(image: Picture, *, margin: float, um_per_pixel: float | None) -> Example:
    """A crop of one cell as an example; `margin`: how much of each side lies about the cell's box."""
    height, width, _ = image.shape
    across, down = margin * width, margin * height
    box = np.array([[across, down, width - across, height - down]])
    return Example(image, box, um_per_pixel, is_crop=True)


def inside(shape: tuple[int, int], boxes: Boxes) -> Mask:
    """Pixels in the ellipses that fill the boxes: cells are round, the corners of boxes are not."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    mask = np.zeros(shape, bool)
    for x0, y0, x1, y1 in boxes:
        across = (columns + 0.5 - (x0 + x1) / 2) / max((x1 - x0) / 2, 0.5)
        down = (rows + 0.5 - (y0 + y1) / 2) / max((y1 - y0) / 2, 0.5)
        mask |= across**2 + down**2 <= 1
    return mask


def outside(shape: tuple[int, int], boxes: Boxes) -> Mask:
    """Pixels in none of the boxes."""
    mask = np.ones(shape, bool)
    for x0, y0, x1, y1 in boxes:
        mask[max(0, int(y0)) : int(np.ceil(y1)), max(0, int(x0)) : int(np.ceil(x1))] = False
    return mask


def examples_hash(examples: Sequence[Example]) -> str:
    """16 hex digits over pictures and boxes, whatever their order."""
    each = sorted(content_hash(one.image) + one.boxes.tobytes().hex() for one in examples)
    return hashlib.blake2b("\n".join(each).encode(), digest_size=8).hexdigest()
