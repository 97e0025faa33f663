"""What stage 1 finds in a field: regions, each kept or dropped for a reason."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

KEPT = ""


class Region(NamedTuple):
    """A connected region of accepted colour, in pixels of its field; x1 and y1 are excluded."""

    x0: int
    y0: int
    x1: int
    y1: int
    area: int  # px
    fill: float  # area / area of the box
    mean_red: float  # of the field's own pixels in the region, 0-255
    mean_green: float
    mean_blue: float
    at_border: bool  # touches the field's edge
    reason: str  # why it was dropped; "" = kept

    @property
    def kept(self) -> bool:
        """Whether it goes on to stage 2."""
        return self.reason == KEPT


class RegionFilter(ABC):
    """One way to find cells in a field; the same field and seed give the same regions on any machine."""

    @abstractmethod
    def find(
        self, image: UInt8[np.ndarray, "height width 3"], *, um_per_pixel: float | None, seed: int
    ) -> list[Region]:
        """Regions of an RGB field, kept and dropped, in reading order (y0, x0, y1, x1).

        Args:
            image: The field.
            um_per_pixel: Its scale in um; None: unknown.
            seed: Of whatever the filter draws; the caller derives it from the field's content.

        Raises:
            UserError: A limit is in micrometres, and the scale is unknown.
        """

    @abstractmethod
    def about(self) -> Mapping[str, Any]:
        """What decides about its regions, as plain data: this is hashed, and stored with them."""
