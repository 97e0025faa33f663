"""Marked cells of fields, whatever wrote them: one table with field, x0, y0, x1, y1, kind.

`field`: file name without folder and suffix. Boxes in px, x1 and y1 excluded. The same box twice in a
field is one cell (in one public data set a cell is listed six times).
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from mk11.data.images import IMAGE_SUFFIXES, read_rgb
from mk11.errors import UserError

COLUMNS = ["field", "x0", "y0", "x1", "y1", "kind"]
Row = tuple[str, int, int, int, int, str]
SPECK = 50  # px: smaller parts of a mask are edges of its drawing, no cells


def read_truth(path: Path, *, images: Path | None, kinds: Sequence[str] | None) -> pd.DataFrame:
    """The table of marked cells.

    Args:
        path: A CSV with the columns above, or a folder of VOC files (.xml), of YOLO files (.txt), or masks.
        images: Folder of the fields; YOLO boxes are shares of a field's size, and need it.
        kinds: Kinds to keep, such as WBC; of YOLO files the numbers as text. None: all.

    Raises:
        UserError: `path` is none of these, or a file is not as its format wants it.
    """
    reader = _reader(path, images)
    try:
        rows = list(reader())
    except (ElementTree.ParseError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise UserError(f"{path} must hold marked cells (VOC, YOLO, masks or CSV), but: {error}") from error
    table = pd.DataFrame(rows, columns=COLUMNS).drop_duplicates(ignore_index=True)
    return table if kinds is None else table[table["kind"].isin(kinds)].reset_index(drop=True)


def _reader(path: Path, images: Path | None) -> Callable[[], Iterator[Row]]:
    if path.is_file():
        return lambda: _csv_rows(path)
    if any(path.glob("*.xml")):
        return lambda: (row for file in sorted(path.glob("*.xml")) for row in _voc_rows(file))
    if any(path.glob("*.txt")):
        if images is None:
            raise UserError(f"boxes of {path} are shares of a field's size: give the folder of the fields")
        return lambda: (row for file in sorted(path.glob("*.txt")) for row in _yolo_rows(file, images))
    if any(file.suffix.lower() in IMAGE_SUFFIXES for file in path.glob("*")):
        return lambda: (row for file in sorted(path.glob("*")) for row in _mask_rows(file))
    raise UserError(f"{path} must be a CSV, or a folder of VOC, YOLO or mask files, but is none of these")


def _csv_rows(path: Path) -> Iterator[Row]:
    table = pd.read_csv(path, dtype={"field": str, "kind": str})
    if missing := [name for name in COLUMNS if name not in table]:
        raise UserError(f"{path} must have the columns {', '.join(COLUMNS)}, but lacks {', '.join(missing)}")
    for field, x0, y0, x1, y1, kind in table[COLUMNS].to_numpy(object).tolist():
        yield Path(field).stem, int(x0), int(y0), int(x1), int(y1), str(kind)


def _voc_rows(file: Path) -> Iterator[Row]:
    """Objects of a Pascal VOC file; the name of the file tells the field."""
    for marked in ElementTree.parse(file).getroot().iter("object"):
        box = {corner.tag: round(float(corner.text or "")) for corner in marked.iter() if corner.tag[1:] in
               ("min", "max")}  # fmt: skip
        yield file.stem, box["xmin"], box["ymin"], box["xmax"], box["ymax"], str(marked.findtext("name"))


def _yolo_rows(file: Path, images: Path) -> Iterator[Row]:
    """Lines `class x y width height`, centre and size as shares of the field."""
    height, width = _size(images, file.stem)
    for line in filter(str.strip, file.read_text().splitlines()):
        kind, x, y, across, down = line.split()[:5]
        left, top = (float(x) - float(across) / 2) * width, (float(y) - float(down) / 2) * height
        right, bottom = left + float(across) * width, top + float(down) * height
        yield file.stem, round(left), round(top), round(right), round(bottom), kind


def _size(images: Path, stem: str) -> tuple[int, int]:
    for suffix in IMAGE_SUFFIXES:
        if (file := images / f"{stem}{suffix}").is_file():
            with Image.open(file) as picture:
                return picture.height, picture.width
    raise UserError(f"{images} must hold the field {stem}, which has marked cells, but does not")


def _mask_rows(file: Path) -> Iterator[Row]:
    """A box about each connected part of a mask; bright is cell, also where edges are blended."""
    grey = cv2.cvtColor(read_rgb(file), cv2.COLOR_RGB2GRAY)
    _, _, stats, _ = cv2.connectedComponentsWithStats((grey > 127).astype(np.uint8), connectivity=8)
    for left, top, width, height, area in stats[1:].tolist():
        if area >= SPECK:
            yield file.stem, left, top, left + width, top + height, "mask"
