"""From a region to the crop that a network sees: a box with a margin, at a chosen scale."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from mk11.data.settings import Given, check_choice, check_positive
from mk11.errors import UserError
from mk11.selection.regions import Region

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in px, x1 and y1 excluded


@dataclass(frozen=True)
class CropShape:
    """How crops are cut; every argument is a key of conf/crop, explained there.

    Raises:
        UserError: A value that its key cannot hold; instantiate() wraps it.
    """

    margin: Given
    square: Given
    target_um_per_pixel: Given

    def __post_init__(self) -> None:
        if not isinstance(self.margin, int | float) or isinstance(self.margin, bool) or not self.margin >= 0:
            raise UserError(f"crop.margin must be a number of at least 0, but is {self.margin}")
        check_choice("crop.square", self.square, (True, False))
        if self.target_um_per_pixel is not None:
            check_positive("crop.target_um_per_pixel", self.target_um_per_pixel)

    def box(self, region: Region, *, width: int, height: int) -> Box:
        """The region's box with its margin, of a field of this size in px.

        Near the field's edge it is shifted inwards, and cut only where the field is smaller: no pixel is
        invented.
        """
        wide, high = region.x1 - region.x0, region.y1 - region.y0
        around = self.margin * max(wide, high)
        sides = [math.ceil(side + 2 * around) for side in (wide, high)]
        if self.square:
            sides = [max(sides)] * 2
        x0, x1 = _placed(region.x0 + region.x1, sides[0], width)
        y0, y1 = _placed(region.y0 + region.y1, sides[1], height)
        return x0, y0, x1, y1

    def cut(
        self, image: UInt8[np.ndarray, "height width 3"], box: Box, *, um_per_pixel: float | None
    ) -> tuple[UInt8[np.ndarray, "rows columns 3"], float | None]:
        """The pixels of a box, resampled to `target_um_per_pixel` where one is set; and their scale in um.

        Raises:
            UserError: A target, but the field's own scale is unknown.
        """
        x0, y0, x1, y1 = box
        pixels, target = image[y0:y1, x0:x1], self.target_um_per_pixel
        if target is None:
            return np.ascontiguousarray(pixels), um_per_pixel
        if um_per_pixel is None:
            raise UserError(
                "crop.target_um_per_pixel must be null where a field's um_per_pixel is unknown, but is"
                f" {target}"
            )
        zoom = um_per_pixel / target
        size = (max(1, round(zoom * (x1 - x0))), max(1, round(zoom * (y1 - y0))))
        # Averaging areas when shrinking: pixels left out would be noise.
        how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
        return cv2.resize(pixels, size, interpolation=how), target


def _placed(twice_centre: int, side: int, limit: int) -> tuple[int, int]:
    """Ends of a stretch of this length about a centre, inside [0, limit)."""
    side = min(side, limit)
    start = min(max((twice_centre - side + 1) // 2, 0), limit - side)
    return start, start + side
