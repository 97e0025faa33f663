"""Pictures for the documentation, from finished selections in drawn fields: outlined regions, and prototypes.

python -m mk11.selection.gallery.sheets regions RUN [RUN ...] docs/activessf-regions.png
python -m mk11.selection.gallery.sheets prototypes RUN docs/activessf-prototypes.png

RUN is the run folder of a `select.py fields=synthetic`. Of several, all show the one field in which the last
has the most to tell.
"""

import argparse
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageOps

from mk11.files import replacing
from mk11.selection.gallery.content import BOX, Picture
from mk11.selection.gallery.finished import FALSE, Finished
from mk11.selection.gallery.pens import INK, LINES, PAPER, QUIET, in_palette, labels, line, outline
from mk11.selection.gallery.strips import FARTHEST, INSIDE, NEAREST, OUTSIDE, strips_of
from mk11.selection.gallery.words import SELECTED, STATES, UNSELECTED, number

WIDTH, HEIGHT = 1000, 560  # px of a picture; of the part of a field in it
MARGIN, GAP, LINE = 10, 5, 26  # px; a line of text
TITLES = (NEAREST, INSIDE, OUTSIDE, FARTHEST)
CROPS, TILE, TOLD, LABEL = 3, 64, 28, 132  # of a strip; px: a crop, words below it, words beside the strips


def regions_sheet(runs: Sequence[Finished]) -> Image.Image:
    """The same part of a field as several filters see it, one below the other, with a legend."""
    field = runs[-1].most_telling()
    top = _most_labels(runs[-1].outlined(field), runs[-1].pixels(field))
    return _stacked([*(_outlined(run, field, top) for run in runs), _legend()])


def prototypes_sheet(run: Finished) -> Image.Image:
    """A row for each prototype: the nearest crops, those about its threshold, and the farthest rejected."""
    return _stacked([_heads(), *(_prototype(run, about) for about in run.prototypes.to_dict("records"))])


def _most_labels(rows: pd.DataFrame, pixels: Picture) -> int:
    """Where the part begins that has most labels (px of the field)."""
    labelled, room = rows[rows["label"] != ""], _room(pixels)
    tops = range(0, max(1, pixels.shape[0] - room + 1), 10)
    within = [int(((labelled["y0"] >= top) & (labelled["y1"] <= top + room)).sum()) for top in tops]
    return tops[int(np.argmax(within))]


def _room(pixels: Picture) -> int:
    """Height of the part that is shown, in px of the field."""
    return min(pixels.shape[0], round(HEIGHT * pixels.shape[1] / WIDTH))


def _outlined(run: Finished, field: str, top: int) -> Image.Image:
    """The part of a field, below a line of counts."""
    pixels, rows = run.pixels(field), run.outlined(field)
    room, zoom = _room(pixels), WIDTH / pixels.shape[1]
    rows = rows[(rows["y1"] > top) & (rows["y0"] < top + room)]
    part = cv2.resize(pixels[top : top + room], (WIDTH, round(zoom * room)), interpolation=cv2.INTER_AREA)
    picture = Image.fromarray(part)
    pen = ImageDraw.Draw(picture)
    moved = zoom * (rows[BOX] - [0, top, 0, top])
    told = list(zip(rows["label"], moved.itertuples(index=False, name=None), rows["state"], strict=True))
    for _, box, state in told:
        outline(pen, box, state)
    labels(pen, [one for one in told if one[0]], picture.size)
    sheet = Image.new("RGB", (WIDTH, LINE + picture.height + MARGIN), PAPER)
    ImageDraw.Draw(sheet).text((MARGIN, 3), _counts(run, rows), fill=INK, font_size=16)
    sheet.paste(picture, (0, LINE))
    return sheet


def _counts(run: Finished, rows: pd.DataFrame) -> str:
    counts, false = rows["state"].value_counts(), int(rows["label"].eq(FALSE).sum())
    told = ", ".join(f"{counts.get(state, 0)} {STATES[state]}" for state in LINES)
    return f"filter={run.filter}: {told}; {false} false"


def _legend() -> Image.Image:
    sheet = Image.new("RGB", (WIDTH, LINE), PAPER)
    pen, left = ImageDraw.Draw(sheet), float(MARGIN)
    for state in LINES:
        outline(pen, (left, 6, left + 22, 20), state)
        pen.text((left + 32, 4), STATES[state], fill=INK, font_size=15)
        left += 32 + pen.textlength(STATES[state], font_size=15) + 26
    pen.text((left, 4), f'"{FALSE}": no cell of its own', fill=INK, font_size=15)
    return sheet


def _heads() -> Image.Image:
    sheet = Image.new("RGB", (WIDTH, LINE), PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, (title, _) in enumerate(TITLES):
        pen.text((_left(place, 0), 4), title, fill=INK, font_size=15)
    return sheet


def _prototype(run: Finished, about: Mapping[Hashable, Any]) -> Image.Image:
    sheet = Image.new("RGB", (WIDTH, TILE + TOLD + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, words in enumerate(_about(about)):
        pen.text((MARGIN, place * 17), words, fill=QUIET if place else INK, font_size=13)
    own = run.candidates[run.candidates["prototype"] == about["prototype"]]
    rows = {strip.title: strip.rows for strip in strips_of(own, count=CROPS)}
    for place, (title, _) in enumerate(TITLES):
        for column, row in enumerate(rows.get(title, [])):
            _tile(sheet, _left(place, column), run.crop(row), run.candidates.iloc[row])
    return sheet


def _about(about: Mapping[Hashable, Any]) -> list[str]:
    return [
        f"prototype {about['prototype']}",
        f"mostly {about['subtype']}",
        f"threshold {number(about['threshold'])}",
        f"{about['admitted']} of {about['candidates']} selected",
    ]


def _tile(sheet: Image.Image, left: int, pixels: Picture, candidate: pd.Series) -> None:
    """A crop in the line of its state, with distance and true kind below."""
    state, pen = (SELECTED if candidate["admitted"] else UNSELECTED), ImageDraw.Draw(sheet)
    shown = ImageOps.contain(Image.fromarray(pixels), (TILE - 4, TILE - 4))
    sheet.paste(shown, (left + (TILE - shown.width) // 2, (TILE - shown.height) // 2))
    line(pen, (left, 0, left + TILE - 2, TILE - 2), state)
    pen.text((left, TILE + 1), number(candidate["distance"]), fill=INK, font_size=11)
    pen.text((left, TILE + 13), candidate["kind"], fill=QUIET, font_size=11)


def _left(strip: int, column: int) -> int:
    """Where a crop begins."""
    return LABEL + strip * (CROPS * (TILE + GAP) + 2 * MARGIN - GAP) + column * (TILE + GAP)


def _stacked(parts: Sequence[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (WIDTH, sum(part.height for part in parts) + MARGIN), PAPER)
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


def main() -> None:
    """Write the picture asked for, in a palette."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("regions", "prototypes"))
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("path", type=Path)
    arguments = parser.parse_args()
    runs = [Finished(folder) for folder in arguments.runs]
    sheet = regions_sheet(runs) if arguments.what == "regions" else prototypes_sheet(runs[0])
    with replacing(arguments.path) as temporary:
        in_palette(sheet).save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    main()
