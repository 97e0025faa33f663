"""Which region is which marked cell."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Regions = Float[np.ndarray, "regions 4"]
Cells = Float[np.ndarray, "cells 4"]


class Match(NamedTuple):
    """A region and the marked cell it found, by their positions; `overlap`: intersection over union."""

    region: int
    cell: int
    overlap: float


def overlaps(regions: Regions, cells: Cells) -> Float[np.ndarray, "regions cells"]:
    """Intersection over union of each box (x0, y0, x1, y1) with each other one."""
    low = np.maximum(regions[:, None, :2], cells[None, :, :2])
    high = np.minimum(regions[:, None, 2:], cells[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    total = _areas(regions)[:, None] + _areas(cells) - shared
    return np.divide(shared, total, out=np.zeros_like(shared), where=total > 0)


def match_by_centre(regions: Regions, cells: Cells) -> list[Match]:
    """One region for one cell: the region's centre lies in the cell's box; pairs that overlap most first.

    Centres rather than a least overlap, because people draw boxes about the same cell by different habits;
    how well boxes agree is told by the overlaps of the pairs.
    """
    centres = (regions[:, :2] + regions[:, 2:]) / 2
    within = (centres[:, None] >= cells[None, :, :2]) & (centres[:, None] <= cells[None, :, 2:])
    return _one_to_one(overlaps(regions, cells), within.all(axis=2))


def match_by_overlap(regions: Regions, cells: Cells, *, least: float) -> list[Match]:
    """One region for one cell: pairs with at least `least` overlap, the largest first."""
    shared = overlaps(regions, cells)
    return _one_to_one(shared, shared >= least)


def _one_to_one(shared: Float[np.ndarray, "regions cells"], allowed: np.ndarray) -> list[Match]:
    """Greedy: the pair with the largest overlap, then the largest among what is left."""
    pairs = np.argwhere(allowed)
    order = np.argsort(-shared[allowed], kind="stable")
    matches: list[Match] = []
    for region, cell in pairs[order].tolist():
        if all(region != match.region and cell != match.cell for match in matches):
            matches.append(Match(region, cell, float(shared[region, cell])))
    return matches


def _areas(boxes: Float[np.ndarray, "boxes 4"]) -> Float[np.ndarray, " boxes"]:
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
