"""Figure 1 of your own data: how many cells each subtype has, and what they look like at one scale."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from jaxtyping import UInt8
from matplotlib.figure import Figure
from PIL import Image

from mk11.data.images import read_rgb

TILE = 140  # px; side of a tile in the montage at most
GAP = 4  # px between tiles
PAPER = (240, 240, 240)  # around images smaller than a tile; not white, as many smears are
INK = "#4c4c4c"
BAR_FILL = "#7b5ea7"  # the violet of the stain


def class_bar(counts: pd.Series, title: str) -> Figure:
    """Horizontal bars of the images per subtype, in the order given, the first on top."""
    figure = Figure(figsize=(6.4, 0.9 + 0.3 * len(counts)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(range(len(counts)), counts, color=BAR_FILL)
    axes.bar_label(bars, [f"{count:,}" for count in counts], padding=3, fontsize=8, color=INK)
    axes.set_yticks(range(len(counts)), list(counts.index))
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("images")
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def montage(images: pd.DataFrame, classes: Sequence[str], *, examples: int, seed: int, title: str) -> Figure:
    """A row of examples per subtype, all at one scale, with a scale bar (in pixels where no scale is known).

    Args:
        images: path, subtype, width, height (px) and um_per_pixel (um; NaN = unknown) of every image.
        classes: Subtypes from top to bottom.
        examples: Images per subtype, drawn with `seed`.
        seed: Of the draw.
        title: Above the picture.
    """
    chosen = {subtype: _draw(images[images["subtype"] == subtype], examples, seed) for subtype in classes}
    drawn = pd.concat(chosen.values())
    known = bool(drawn["um_per_pixel"].notna().all())
    unit = "µm" if known else "px"
    size = drawn["um_per_pixel"].to_numpy() if known else np.ones(len(drawn))  # units per pixel
    frame = float((drawn[["width", "height"]].max(axis=1) * size).max())  # side of a tile, units
    tiles = [_tile(Path(path), scale, frame) for path, scale in zip(drawn["path"], size, strict=True)]
    ends = np.cumsum([len(some) for some in chosen.values()])
    rows = [tiles[end - len(some) : end] for end, some in zip(ends, chosen.values(), strict=True)]
    counts = images["subtype"].value_counts()
    names = [f"{subtype}\n{counts[subtype]:,}" for subtype in classes]
    return _figure(_sheet(rows, examples), names, frame, unit, title)


def _draw(images: pd.DataFrame, examples: int, seed: int) -> pd.DataFrame:
    return images.sample(min(examples, len(images)), random_state=seed).sort_values("id")


def _tile(path: Path, units_per_pixel: float, frame: float) -> UInt8[np.ndarray, "tile tile 3"]:
    """One image centred on PAPER, resampled so that the tile spans `frame` units."""
    picture = Image.fromarray(read_rgb(path))
    factor = units_per_pixel * TILE / frame
    picture = picture.resize(
        (max(round(picture.width * factor), 1), max(round(picture.height * factor), 1)), 3
    )
    tile = Image.new("RGB", (TILE, TILE), PAPER)
    tile.paste(picture, ((TILE - picture.width) // 2, (TILE - picture.height) // 2))
    return np.array(tile)


def _sheet(rows: Sequence[Sequence[np.ndarray]], columns: int) -> UInt8[np.ndarray, "height width 3"]:
    step = TILE + GAP
    sheet = np.full((step * len(rows), step * columns, 3), 255, dtype=np.uint8)
    for row, tiles in enumerate(rows):
        for column, tile in enumerate(tiles):
            sheet[row * step : row * step + TILE, column * step : column * step + TILE] = tile
    return sheet


def _figure(
    sheet: UInt8[np.ndarray, "height width 3"], names: Sequence[str], frame: float, unit: str, title: str
) -> Figure:
    """The sheet with the rows' names on its left and a scale bar under its last column."""
    height, width, _ = sheet.shape
    inch = 160  # px of the sheet
    left, right, top, bottom = 240, 30, 60, 90  # px of the sheet around it
    total = (left + width + right, top + height + bottom)
    figure = Figure(figsize=(total[0] / inch, total[1] / inch))
    axes = figure.add_axes((left / total[0], bottom / total[1], width / total[0], height / total[1]))
    axes.imshow(sheet, interpolation="none")
    axes.set_axis_off()
    for row, name in enumerate(names):
        axes.text(-12, row * (TILE + GAP) + TILE / 2, name, ha="right", va="center", fontsize=9, color=INK)
    length = round_length(frame)
    end, start = width - GAP, width - GAP - length * TILE / frame
    axes.plot([start, end], [height + 16] * 2, color="black", lw=3, clip_on=False, solid_capstyle="butt")
    axes.text((start + end) / 2, height + 28, f"{length:g} {unit}", ha="center", va="top", fontsize=9)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.set_title(title, fontsize=10)
    return figure


def round_length(frame: float) -> float:
    """Largest of 1, 2, 5, 10, ... that is at most 60 % of a tile: the length of the scale bar, in units."""
    power = 10.0 ** np.floor(np.log10(0.6 * frame))
    return float(max(step * power for step in (1, 2, 5) if step * power <= 0.6 * frame * (1 + 1e-9)))


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write `<stem>.png` and `<stem>.svg`; equal figures give equal files."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    files = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
    with mpl.rc_context({"svg.hashsalt": "mk11"}):
        figure.savefig(files[0], dpi=150)
        figure.savefig(files[1], metadata={"Date": None})
    return files
