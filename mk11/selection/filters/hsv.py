"""Colours by hue, saturation and value, in OpenCV's units: hue 0-179 (degrees / 2), the others 0-255."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from mk11.errors import UserError

Colours = UInt8[np.ndarray, "colours 3"]
HIGHEST = {"hue": 179, "saturation": 255, "value": 255}


class HsvRange:
    """A range of colours, both ends included."""

    def __init__(self, *, hue: Sequence[int], saturation: Sequence[int], value: Sequence[int]) -> None:
        """Each is [lowest, highest], lowest first; a hue of 180 reads as 179, where OpenCV ends."""
        given: Mapping[str, Sequence[int]] = {"hue": hue, "saturation": saturation, "value": value}
        for name, ends in given.items():
            if len(ends) != 2 or not 0 <= ends[0] <= ends[1] <= HIGHEST[name] + (name == "hue"):
                raise UserError(
                    f"{name} must be [lowest, highest] within 0-{HIGHEST[name]}, but is {list(ends)}"
                )
        self.low = np.array([ends[0] for ends in given.values()])
        self.high = np.array([ends[1] for ends in given.values()])

    def holds(self, hsv: Colours) -> Bool[np.ndarray, " colours"]:
        """Which colours lie in the range."""
        return np.all((hsv >= self.low) & (hsv <= self.high), axis=1)

    def told(self) -> str:
        """In words that stand in tables."""
        axes = zip("HSV", self.low.tolist(), self.high.tolist(), strict=True)
        return ", ".join(f"{axis} {low}-{high}" for axis, low, high in axes)


def to_hsv(rgb: Colours) -> Colours:
    """RGB colours in OpenCV's hue, saturation and value."""
    return cv2.cvtColor(rgb[None], cv2.COLOR_RGB2HSV)[0]


def in_any(rgb: Colours, ranges: Sequence[HsvRange]) -> Bool[np.ndarray, " colours"]:
    """Which RGB colours lie in at least one of the ranges."""
    hsv = to_hsv(rgb)
    return np.any(np.stack([one.holds(hsv) for one in ranges]), axis=0)
