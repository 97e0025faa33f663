"""Which colours a field has, and how often: what clustering works on instead of pixels."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8, UInt32

from mk11.selection.filters.illumination import Planes

Plane = UInt8[np.ndarray, "height width"]
Codes = Int64[np.ndarray, " colours"]
Cube = Float32[np.ndarray, "levels levels levels"]  # a number for each quantised red, green and blue


class ColourHistogram(NamedTuple):
    """Colours that occur, in `bits` a channel, ascending by code; `means` of their pixels, RGB 0-255."""

    bits: int
    codes: Codes
    counts: Int64[np.ndarray, " colours"]
    means: Float64[np.ndarray, "colours 3"]


def colour_codes(planes: Planes, *, bits: int) -> UInt32[np.ndarray, "height width"]:
    """Each pixel's quantised colour: the upper `bits` of red, green and blue as one number."""
    code = np.zeros(planes[0].shape, np.uint32)
    for plane in planes:
        code <<= bits
        code |= np.right_shift(plane, 8 - bits)
    return code


def colour_cube(planes: Planes, *, bits: int) -> Cube:
    """How many pixels have each quantised colour; as float32, exact up to 16.7 million."""
    return np.asarray(cv2.calcHist(planes, [0, 1, 2], None, [1 << bits] * 3, [0, 256] * 3))


def looked_up(planes: Planes, cube: Cube) -> Plane:
    """What `cube` holds for each pixel's quantised colour, rounded to 0-255."""
    table = cv2.Mat(cube, wrap_channels=False)  # else OpenCV takes the third axis for channels
    return cv2.calcBackProject(planes, [0, 1, 2], table, [0, 256] * 3, 1)


def colour_histogram(cube: Cube) -> ColourHistogram:
    """The colours that occur; each stands for the middle of the colours it takes in."""
    counts, bits = cube.ravel(), len(cube).bit_length() - 1
    codes = np.flatnonzero(counts > 0)
    step = 1 << (8 - bits)
    means = _levels(codes, bits) * step + (step - 1) / 2
    return ColourHistogram(bits, codes, counts[codes].astype(np.int64), means.T)


def coarser(histogram: ColourHistogram, *, bits: int) -> ColourHistogram:
    """The histogram in fewer bits; means stay exact."""
    red, green, blue = _levels(histogram.codes, histogram.bits) >> (histogram.bits - bits)
    codes, member = np.unique(red << 2 * bits | green << bits | blue, return_inverse=True)
    counts = np.bincount(member, histogram.counts)
    sums = np.stack([np.bincount(member, histogram.counts * axis) for axis in histogram.means.T])
    return ColourHistogram(bits, codes, counts.astype(np.int64), (sums / counts).T)


def _levels(codes: Codes, bits: int) -> Int64[np.ndarray, "3 colours"]:
    """Quantised red, green and blue of a code."""
    return np.stack([codes >> shift & (1 << bits) - 1 for shift in (2 * bits, bits, 0)])
