"""What a colour rule has learnt, in words and as a picture."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8

from mk11.selection.filters.colour_rule import BITS, NEUTRAL, STEP, ColourRule
from mk11.selection.filters.hsv import to_hsv

CIRCLE = 180  # OpenCV's hues: half degrees
MIDDLE = (5, 95)  # percentiles: a range tells the middle nine tenths
SWATCH = 8  # px


class Told(NamedTuple):
    """Accepted colours in OpenCV's units; hue may run through 0, as from 120 to 10.

    `share`: of all colours that a quantised picture can have.
    """

    hue: tuple[int, int]
    hue_degrees: tuple[int, int]
    saturation: tuple[int, int]
    value: tuple[int, int]
    share: float


def accepted_colours(rule: ColourRule, *, threshold: float) -> UInt8[np.ndarray, "colours 3"]:
    """RGB centres of the colours that were seen in examples and reach the threshold; ground is white."""
    steps = rule.table.astype(int)
    codes = np.flatnonzero((steps > threshold * STEP + NEUTRAL) & (np.abs(steps - NEUTRAL) > 1))
    mask, half = (1 << BITS) - 1, 1 << (7 - BITS)
    levels = np.stack([(codes >> shift & mask) << (8 - BITS) for shift in (2 * BITS, BITS, 0)], axis=1)
    return (levels + half).astype(np.uint8)


def describe(rule: ColourRule, *, threshold: float) -> Told | None:
    """Ranges of the accepted colours; None if there are none."""
    colours = accepted_colours(rule, threshold=threshold)
    if not len(colours):
        return None
    hue, saturation, value = to_hsv(colours).astype(float).T
    around = hue_range(hue)
    return Told(
        around,
        (2 * around[0], 2 * around[1]),
        _range(saturation),
        _range(value),
        len(colours) / len(rule.table),
    )


def hue_range(hue: Float64[np.ndarray, " colours"]) -> tuple[int, int]:
    """The middle nine tenths of hues about their mean direction."""
    angles = 2 * np.pi * hue / CIRCLE
    middle = np.arctan2(np.sin(angles).sum(), np.cos(angles).sum()) / (2 * np.pi) * CIRCLE
    low, high = np.percentile((hue - middle + CIRCLE / 2) % CIRCLE, MIDDLE) - CIRCLE / 2 + middle
    return round(low) % CIRCLE, round(high) % CIRCLE


def in_words(rule: ColourRule, *, threshold: float) -> str:
    """One sentence for a terminal."""
    told = describe(rule, threshold=threshold)
    if told is None:
        return "the rule accepts no colour"
    (h0, h1), (d0, d1) = told.hue, told.hue_degrees
    return (
        f"accepts hue {h0}-{h1} (OpenCV; {d0}-{d1} degrees),"
        f" saturation {told.saturation[0]}-{told.saturation[1]}, value {told.value[0]}-{told.value[1]}"
        f" (middle nine tenths, ground made white): {told.share:.1%} of all colours;"
        f" typical cell {rule.cell_px:.0f} px, smallest {rule.smallest_px:.0f} px{_left_out(rule)}"
    )


def _left_out(rule: ColourRule) -> str:
    sides = rule.provenance.get("too_small_px", ())
    told = ", ".join(f"{side:.0f}" for side in sides)
    return f" ({told} px left out: the examples have much else of that size)" if sides else ""


def swatches(rule: ColourRule, *, threshold: float, columns: int) -> UInt8[np.ndarray, "height width 3"]:
    """A picture of the accepted colours, by hue and then by value; the rest is white."""
    colours = accepted_colours(rule, threshold=threshold)
    hue, _, value = to_hsv(colours).astype(int).T if len(colours) else np.zeros((3, 0), int)
    ordered = colours[np.lexsort((value, hue // 6))]
    rows = max(1, -(-len(ordered) // columns))
    sheet = np.full((rows * columns, 3), 255, np.uint8)
    sheet[: len(ordered)] = ordered
    return sheet.reshape(rows, columns, 3).repeat(SWATCH, axis=0).repeat(SWATCH, axis=1)


def _range(values: Float64[np.ndarray, " colours"]) -> tuple[int, int]:
    low, high = np.percentile(values, MIDDLE)
    return round(low), round(high)
