"""What a region must be to count as a cell, in pixels or micrometres."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mk11.errors import UserError
from mk11.selection.regions import KEPT

SMALL, SPARSE, BORDER = "small", "sparse", "border"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Smallest sizes, fill rate and border; a size in micrometres, where given, stands for that in pixels."""

    min_side_px: float | None  # px, of both sides of the box (the paper: 70)
    min_side_um: float | None
    min_diameter_px: float | None  # px, of a disc of the region's area
    min_diameter_um: float | None
    min_fill: float  # area / area of the box (the paper: 0.7)
    keep_border: bool  # whether regions that touch the field's edge are kept

    def __post_init__(self) -> None:
        if not 0 <= self.min_fill <= 1:
            raise UserError(f"filter.limits.min_fill must be in [0, 1], but is {self.min_fill}")
        sizes = {
            name: value for name, value in asdict(self).items() if name.startswith(("min_side", "min_dia"))
        }
        for name, value in sizes.items():
            if value is not None and value < 0:
                raise UserError(f"filter.limits.{name} must be at least 0, but is {value}")

    def side(self, um_per_pixel: float | None) -> float:
        """Smallest side of a box, px."""
        return _in_pixels(self.min_side_px, self.min_side_um, um_per_pixel, "min_side")

    def diameter(self, um_per_pixel: float | None) -> float:
        """Smallest diameter of a disc of the region's area, px."""
        return _in_pixels(self.min_diameter_px, self.min_diameter_um, um_per_pixel, "min_diameter")

    def reason(
        self,
        *,
        sides: tuple[float, float],
        area: float,
        fill: float,
        at_border: bool,
        um_per_pixel: float | None,
    ) -> str:
        """Why a region is dropped; "" if it is kept. `sides` in px, `area` in px."""
        too_thin = min(sides) < self.side(um_per_pixel)
        if too_thin or disc_diameter(area) < self.diameter(um_per_pixel):
            return SMALL
        if fill < self.min_fill:
            return SPARSE
        return KEPT if self.keep_border or not at_border else BORDER

    def about(self) -> Mapping[str, Any]:
        """As plain data."""
        return asdict(self)


def disc_diameter(area: float) -> float:
    """Of a disc of this area; px of px."""
    return math.sqrt(4 * area / math.pi)


def _in_pixels(pixels: float | None, um: float | None, um_per_pixel: float | None, name: str) -> float:
    """A limit in px: by its micrometres where the scale is known, else by its pixels; none: 0."""
    if um is not None and um_per_pixel is not None:
        return um / um_per_pixel
    if um is not None and pixels is None:
        raise UserError(
            f"filter.limits.{name}_um is {um} um, but the scale of the fields is unknown: give"
            f" fields.um_per_pixel, or filter.limits.{name}_px instead"
        )
    return pixels or 0.0
