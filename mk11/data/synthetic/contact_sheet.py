"""Contact sheets: drawn cells and fields at one scale, with a scale bar, for people to look at.

python -m mk11.data.synthetic.contact_sheet cells docs/contact-sheet.png
python -m mk11.data.synthetic.contact_sheet fields docs/fields-sheet.png
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from mk11.data.synthetic.anatomy import SUBTYPES, UM_PER_PIXEL
from mk11.data.synthetic.cells import draw_picture
from mk11.data.synthetic.fields import draw_field
from mk11.data.synthetic.stain import draw_patient

PAPER = (255, 255, 255)
INK = (40, 30, 50)
BAR_UM = 20.0
GAP = 6  # pixels between pictures
COLUMNS = 7
SIDE = 232  # pixels: larger pictures are cut
ZOOM = 0.5

Picture = UInt8[np.ndarray, "height width 3"]


def cells_sheet(seed: int) -> Picture:
    """A row of cells a subtype, each from another patient, all at one scale."""
    rows = []
    for number, subtype in enumerate(SUBTYPES):
        pictures = [
            _cell(subtype, np.random.default_rng([seed, number, column])) for column in range(COLUMNS)
        ]
        height = max(86, *(picture.shape[0] for picture in pictures)) + GAP
        squares = [_framed(picture, height, SIDE + GAP) for picture in pictures]
        rows.append(np.hstack([_title(subtype, height), *squares]))
    return cv2.resize(np.vstack(rows), None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_AREA)


def fields_sheet(seed: int) -> Picture:
    """Four fields with the boxes of their cells, at half size."""
    fields = [_field(seed, number) for number in range(4)]
    rows = [np.hstack(fields[:2]), np.hstack(fields[2:])]
    return cv2.resize(np.vstack(rows), None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_AREA)


def _cell(subtype: str, generator: np.random.Generator) -> Picture:
    """At most SIDE pixels of the middle."""
    picture, _ = draw_picture(subtype, draw_patient(generator, name=""), generator)
    height, width = (min(size, SIDE) for size in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


def _field(seed: int, number: int) -> Picture:
    picture, boxes = draw_field(seed, number)
    for box in boxes:
        cv2.rectangle(picture, (box.x0, box.y0), (box.x1 - 1, box.y1 - 1), INK, 2)
        cv2.putText(
            picture, box.kind, (box.x0, box.y0 - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.9, INK, 2, cv2.LINE_AA
        )
    _scale_bar(picture, 20, picture.shape[0] - 60)
    return _framed(picture, picture.shape[0] + GAP, picture.shape[1] + GAP)


def _framed(picture: Picture, height: int, width: int) -> Picture:
    """In the middle of a sheet of paper."""
    paper = np.full((height, width, 3), PAPER, np.uint8)
    top, left = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
    paper[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return paper


def _title(subtype: str, height: int) -> Picture:
    """Name of the subtype over a scale bar."""
    title = np.full((height, 180, 3), PAPER, np.uint8)
    cv2.putText(title, subtype, (10, height // 2 - 8), cv2.FONT_HERSHEY_SIMPLEX, 1.0, INK, 2, cv2.LINE_AA)
    _scale_bar(title, 12, height // 2 + 8)
    return title


def _scale_bar(picture: Picture, x: int, y: int) -> None:
    length = round(BAR_UM / UM_PER_PIXEL)
    cv2.line(picture, (x, y), (x + length, y), INK, 4)
    cv2.putText(picture, f"{BAR_UM:.0f} um", (x, y + 26), cv2.FONT_HERSHEY_SIMPLEX, 0.7, INK, 2, cv2.LINE_AA)


def main() -> None:
    """Write the sheet asked for, in a palette of 256 colours that keeps the file small."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("cells", "fields"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sheet = {"cells": cells_sheet, "fields": fields_sheet}[arguments.what](arguments.seed)
    Image.fromarray(sheet).quantize(256, dither=Image.Dither.NONE).save(arguments.path, optimize=True)


if __name__ == "__main__":
    main()
