"""Outlines and labels for pictures of the documentation, in the colours and lines of the page."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from mk11.selection.gallery.words import DROPPED, MISSED, SELECTED, UNSELECTED

PAPER, INK, QUIET = (255, 255, 255), (28, 26, 34), (93, 89, 104)
LINES = {  # colour, and dash and gap in px
    SELECTED: ((0, 120, 90), 9, 0),
    UNSELECTED: ((194, 65, 12), 7, 5),
    DROPPED: ((38, 35, 43), 2, 3),
    MISSED: ((26, 79, 208), 9, 0),
}
COLOURS, ROUNDS = (
    256,
    3,
)  # of the palette, which keeps files small; of moving its colours to what they stand for
FONT = 14  # px
Box = tuple[float, float, float, float]


def outline(pen: ImageDraw.ImageDraw, box: Box, state: str) -> None:
    """A pale casing, which shows on any stain, and the line on it; missed cells have two lines."""
    pen.rectangle(_grown(box, 2), outline=PAPER, width=4)
    for far in (0, 3) if state == MISSED else (0,):
        line(pen, _grown(box, far), state)


def line(pen: ImageDraw.ImageDraw, box: Box, state: str) -> None:
    """A frame in the line of its state."""
    colour, dash, gap = LINES[state]
    x0, y0, x1, y1 = box
    for left, top, right, bottom in ((x0, y0, x1, y0), (x1, y0, x1, y1), (x1, y1, x0, y1), (x0, y1, x0, y0)):
        length = max(abs(right - left), abs(bottom - top), 1)
        for start in np.arange(0, length, dash + gap):
            ends = (start / length, min(start + dash, length) / length)
            pen.line(
                [(left + part * (right - left), top + part * (bottom - top)) for part in ends],
                fill=colour, width=2,
            )  # fmt: skip


def labels(pen: ImageDraw.ImageDraw, labelled: Sequence[tuple[str, Box, str]], size: tuple[int, int]) -> None:
    """Text beside boxes (label, box, state): above, or where there is room."""
    taken = [_grown(box, 2) for _, box, _ in labelled]
    for label, box, state in labelled:
        wide = pen.textlength(label, font_size=FONT)
        places = [_at(x, y, wide) for x, y in _beside(box, wide)]
        free = [
            place
            for place in places
            if _inside(place, size) and not any(_meet(place, other) for other in taken)
        ]
        place = (free or places)[0]
        taken.append(place)
        pen.text(place[:2], label, fill=LINES[state][0], font_size=FONT, stroke_width=2, stroke_fill=PAPER)


def in_palette(sheet: Image.Image) -> Image.Image:
    """In 256 colours spread over all that it has, so that rare nuclei keep theirs beside so much ground."""
    method, none = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
    return sheet.quantize(COLOURS, method=method, kmeans=ROUNDS, dither=none)


def _beside(box: Box, wide: float) -> list[tuple[float, float]]:
    x0, y0, x1, y1 = box
    return [(x0, y0 - FONT - 7), (x1 + 7, y0), (x0 - wide - 7, y0), (x0, y1 + 5)]


def _at(x: float, y: float, wide: float) -> Box:
    return x, y, x + wide, y + FONT + 3


def _grown(box: Box, by: float) -> Box:
    x0, y0, x1, y1 = box
    return x0 - by, y0 - by, x1 + by, y1 + by


def _inside(box: Box, size: tuple[int, int]) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= size[0] and box[3] <= size[1]


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
