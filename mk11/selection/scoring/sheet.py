"""Pictures of fields with their marks and regions: missed cells and false regions to look at."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pandas as pd
from jaxtyping import UInt8

from mk11.selection.scoring.scores import BOX, Matched

Picture = UInt8[np.ndarray, "height width 3"]

MARKED = (30, 140, 60)  # green: what people marked
FOUND = (40, 80, 200)  # blue: what was found and is marked
FALSE = (215, 90, 20)  # orange: what was found and is not
MISSED = (200, 20, 60)  # red: what was marked and not found
PAPER = (255, 255, 255)
GAP = 6  # px


def overlay(image: Picture, field: str, matched: Matched) -> Picture:
    """A field with its marked cells and its regions, coloured by what became of them."""
    drawn = image.copy()
    width = max(2, round(max(image.shape) / 200))
    cells = matched.cells[matched.cells["field"] == field]
    regions = matched.regions[matched.regions["field"] == field]
    for rows, good, bad, told in ((cells, MARKED, MISSED, "found"), (regions, FOUND, FALSE, "true")):
        for box, right in zip(rows[BOX].to_numpy(int).tolist(), rows[told], strict=True):
            cv2.rectangle(drawn, box[:2], box[2:], good if right else bad, width)
    return drawn


def fields_with(matched: Matched, *, what: str) -> list[str]:
    """Names of the fields with `missed` cells or with `false` regions."""
    rows = matched.cells[~matched.cells["found"]] if what == "missed" else _false(matched.regions)
    return sorted(set(rows["field"].astype(str)))


def sheet(
    fields: Sequence[str], matched: Matched, *, read: Callable[[str], Picture], columns: int, side: int
) -> Picture:
    """Overlays of some fields in a grid, each within a square of `side` px; `read` gives a field's pixels."""
    tiles = [_tile(overlay(read(field), field, matched), side) for field in fields]
    blank = np.full((side + GAP, side + GAP, 3), PAPER, np.uint8)
    tiles += [blank] * (-len(tiles) % columns or (columns if not tiles else 0))
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack(rows)


def _tile(image: Picture, side: int) -> UInt8[np.ndarray, "rows columns 3"]:
    height, width, _ = image.shape
    ratio = side / max(height, width)
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    tile = np.full((side + GAP, side + GAP, 3), PAPER, np.uint8)
    tile[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return tile


def _false(regions: pd.DataFrame) -> pd.DataFrame:
    return regions[~regions["true"]]
