"""Contact sheets: drawn cells and fields at one scale, with a scale bar, for people to look at.

    python -m mk11.data.synthetic.contact_sheet cells docs/contact-sheet.png
    python -m mk11.data.synthetic.contact_sheet fields docs/fields-sheet.png
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from mk11.data.synthetic.anatomy import SUBTYPES, UM_PER_PIXEL
from mk11.data.synthetic.cells import draw_picture
from mk11.data.synthetic.stain import draw_patient

PAPER = (255, 255, 255)
INK = (40, 30, 50)
BAR_UM = 20.0


def cells_sheet(*, columns: int, cell: int, zoom: float, seed: int) -> UInt8[np.ndarray, "height width 3"]:
    """One row a subtype, every cell at the same scale in a square of `cell` pixels before `zoom`."""
    rows = []
    for number, subtype in enumerate(SUBTYPES):
        squares = [_title(subtype, cell)]
        for column in range(columns):
            generator = np.random.default_rng([seed, number, column])
            patient = draw_patient(generator, name="")
            squares.append(_square(draw_picture(subtype, patient, generator)[0], cell))
        rows.append(np.hstack(squares))
    sheet = np.vstack(rows)
    return cv2.resize(sheet, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)


def _square(picture: UInt8[np.ndarray, "height width 3"], side: int) -> UInt8[np.ndarray, "side side 3"]:
    """Centre of `picture` on white."""
    height, width = (min(size, side - 4) for size in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    square = np.full((side, side, 3), PAPER, np.uint8)
    down, right = (side - height) // 2, (side - width) // 2
    square[down : down + height, right : right + width] = picture[top : top + height, left : left + width]
    return square


def _title(subtype: str, side: int) -> UInt8[np.ndarray, "side side 3"]:
    """Name of the subtype over a scale bar."""
    title = np.full((side, side, 3), PAPER, np.uint8)
    cv2.putText(title, subtype, (8, side // 2), cv2.FONT_HERSHEY_SIMPLEX, 1.0, INK, 2, cv2.LINE_AA)
    length, row = round(BAR_UM / UM_PER_PIXEL), side // 2 + 36
    cv2.line(title, (12, row), (12 + length, row), INK, 4)
    cv2.putText(title, f"{BAR_UM:.0f} um", (12, row + 30), cv2.FONT_HERSHEY_SIMPLEX, 0.7, INK, 2, cv2.LINE_AA)
    return title


def main() -> None:
    """Write the sheet asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("cells", "fields"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sheet = cells_sheet(columns=7, cell=250, zoom=0.5, seed=arguments.seed)
    cv2.imwrite(str(arguments.path), sheet[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
