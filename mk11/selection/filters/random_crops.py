"""No filter: boxes drawn by chance, the rival that asks whether looking for cells helps at all."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mk11.errors import UserError
from mk11.selection.filters.components import reading_order
from mk11.selection.regions import KEPT, Region, RegionFilter

Picture = UInt8[np.ndarray, "height width 3"]


class RandomCrops(RegionFilter):
    """Squares anywhere in the field."""

    def __init__(self, *, count: int, side_px: float | None, side_um: float | None) -> None:
        """`count` of a field, sides in um where the scale is known; see conf/filter/random_crops.yaml."""
        if count < 1:
            raise UserError(f"filter.count must be at least 1, but is {count}")
        if side_px is None and side_um is None:
            raise UserError("filter.side_px or filter.side_um must be given, but both are null")
        self.count, self.side_px, self.side_um = count, side_px, side_um

    def find(self, image: Picture, *, um_per_pixel: float | None, seed: int) -> list[Region]:
        """Squares of an RGB field, by its seed; larger than the field: as large as it is."""
        height, width, _ = image.shape
        side = max(1, min(self._side(um_per_pixel), height, width))
        generator = np.random.default_rng(seed)
        lefts = generator.integers(0, width - side, self.count, endpoint=True).tolist()
        tops = generator.integers(0, height - side, self.count, endpoint=True).tolist()
        return reading_order([_square(image, x, y, side) for x, y in zip(lefts, tops, strict=True)])

    def _side(self, um_per_pixel: float | None) -> int:
        if self.side_um is not None and um_per_pixel is not None:
            return round(self.side_um / um_per_pixel)
        if self.side_px is None:
            raise UserError(
                f"filter.side_um is {self.side_um} um, but the scale of the fields is unknown: give"
                " fields.um_per_pixel, or filter.side_px instead"
            )
        return round(self.side_px)

    def about(self) -> Mapping[str, Any]:
        """What decides about its regions."""
        return {"rule": "random crops", "count": self.count, "side_px": self.side_px, "side_um": self.side_um}


def _square(image: Picture, x: int, y: int, side: int) -> Region:
    height, width, _ = image.shape
    red, green, blue = image[y : y + side, x : x + side].reshape(-1, 3).mean(axis=0).tolist()
    at_border = x == 0 or y == 0 or x + side == width or y + side == height
    return Region(x, y, x + side, y + side, side * side, 1.0, red, green, blue, at_border, KEPT)
