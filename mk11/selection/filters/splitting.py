"""Touching cells apart: cores by the distance of each pixel from the region's edge, then the nearest core.

The cut lies where a watershed on the distance would put it for round cells: midway between the cores.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int32
from scipy import ndimage

Pixels = Bool[np.ndarray, "rows columns"]
Depth = Float32[np.ndarray, "rows columns"]
Labels = Int32[np.ndarray, "rows columns"]

LEVELS = 12  # depths at which a region is tried for falling apart


def split_touching(pixels: Pixels, *, neck: float, radius: float) -> Labels:
    """Number the cells of a region from 1; 0 outside.

    A region falls apart where the neck between two parts is at most `neck` times as deep as the shallower of
    them, and both are at least `radius` px deep; so lobes of one nucleus, joined by cytoplasm, stay together.
    """
    depth = cv2.distanceTransform(np.pad(pixels, 1).astype(np.uint8), cv2.DIST_L2, 5)
    cores = separate_cores(depth, neck=neck, radius=radius)
    if cores.max() < 2:
        return pixels.astype(np.int32)
    _, (rows, columns) = ndimage.distance_transform_edt(cores == 0, return_indices=True)
    nearest = cores[rows, columns][1:-1, 1:-1]
    return np.where(pixels, nearest, 0).astype(np.int32)


def separate_cores(depth: Depth, *, neck: float, radius: float) -> Labels:
    """Numbered cores of the level at which most parts come apart; the lowest such level."""
    best = np.zeros(depth.shape, np.int32)
    highest = float(depth.max())
    for level in np.linspace(neck * radius, neck * highest, LEVELS):
        count, labels = cv2.connectedComponents((depth > level).astype(np.uint8), connectivity=8)
        if count - 1 > max(int(best.max()), 1):
            cores = _deep_parts(depth, labels, count, at_least=max(level / neck, radius))
            best = cores if cores.max() > max(int(best.max()), 1) else best
    return best


def _deep_parts(depth: Depth, labels: Labels, count: int, *, at_least: float) -> Labels:
    """Those of the parts whose deepest pixel reaches `at_least`, numbered from 1."""
    peaks = ndimage.maximum(depth, labels, np.arange(count))
    deep = np.asarray(peaks) >= at_least - 1e-6
    deep[0] = False
    return np.where(deep, np.cumsum(deep), 0).astype(np.int32)[labels]
