"""A filter for tests, in a module of its own so that worker processes can import it."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from mk11.selection.regions import Region, RegionFilter


class DarkFilter(RegionFilter):
    """Connected dark pixels; smaller boxes than `least` px are dropped."""

    def __init__(self, *, least: int) -> None:
        self.least = least
        self.looked = 0

    def find(self, image, *, um_per_pixel, seed):
        self.looked += 1
        dark = (image.max(axis=2) < 100).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
        return [self._region(*map(int, stats[label]), image, seed) for label in range(1, count)]

    def _region(self, x, y, width, height, area, image, seed):
        reason = "" if min(width, height) >= self.least else "small"
        colour = image[y : y + height, x : x + width].reshape(-1, 3).mean(axis=0).tolist()
        border = x == 0 or y == 0
        return Region(x, y, x + width, y + height, area, float(seed % 97), *colour, border, reason)

    def about(self) -> Mapping[str, Any]:
        return {"rule": "dark", "least": self.least}
