"""Which colours a field has, and how often: what clustering works on instead of pixels."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float64, Int64, Shaped, UInt8, UInt32

Picture = UInt8[np.ndarray, "height width 3"]
Codes = UInt32[np.ndarray, "height width"]


class ColourHistogram(NamedTuple):
    """Quantised colours that occur, ascending by code; `means` of their pixels, RGB 0-255."""

    codes: Int64[np.ndarray, " colours"]
    counts: Int64[np.ndarray, " colours"]
    means: Float64[np.ndarray, "colours 3"]


def colour_codes(image: Picture, *, bits: int) -> Codes:
    """Each pixel's quantised colour: the upper `bits` of red, green and blue as one number."""
    code = np.zeros(image.shape[:2], np.uint32)
    for channel in cv2.split(image):
        code <<= bits
        code |= np.right_shift(channel, 8 - bits)
    return code


def colour_histogram(image: Picture, *, bits: int) -> ColourHistogram:
    """Count the quantised colours; each stands for the middle of the colours it takes in.

    OpenCV counts in float32, which is exact up to 16.7 million pixels of one colour.
    """
    cube = cv2.calcHist([image], [0, 1, 2], None, [1 << bits] * 3, [0, 256] * 3)
    counts = np.asarray(cube).ravel()
    occurring = np.flatnonzero(counts > 0)
    step, mask = 1 << (8 - bits), (1 << bits) - 1
    levels = np.stack([occurring >> shift & mask for shift in (2 * bits, bits, 0)], axis=1)
    return ColourHistogram(occurring, counts[occurring].astype(np.int64), levels * step + (step - 1) / 2)


def coarser(
    histogram: ColourHistogram, *, bits: int, to_bits: int
) -> tuple[ColourHistogram, Int64[np.ndarray, " colours"]]:
    """The histogram in fewer bits, and which of its colours each finer one is in; means stay exact."""
    mask, drop = (1 << bits) - 1, bits - to_bits
    red, green, blue = (histogram.codes >> shift & mask for shift in (2 * bits, bits, 0))
    coarse = (red >> drop << 2 * to_bits) | (green >> drop << to_bits) | (blue >> drop)
    codes, member = np.unique(coarse, return_inverse=True)
    counts = np.bincount(member, histogram.counts)
    sums = np.stack([np.bincount(member, histogram.counts * axis) for axis in histogram.means.T], axis=1)
    return ColourHistogram(codes, counts.astype(np.int64), sums / counts[:, None]), member


def table_of(
    histogram: ColourHistogram, values: Shaped[np.ndarray, " colours"], *, bits: int
) -> Shaped[np.ndarray, " codes"]:
    """A look-up table from code to value; colours that do not occur get 0."""
    table = np.zeros(1 << 3 * bits, values.dtype)
    table[histogram.codes] = values
    return table
