"""Square panels, one a class, that precision-recall curves are drawn in."""

import math
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mk11.evaluation.figures.canvas import INK, PALE, page, plain

COLUMNS = 4
PANEL, TITLE = 1.45, 0.6  # inches
POINT = 1 / (72 * PANEL)  # a typographic point in units of a panel
WIDTH = 21  # characters of a panel's title


@contextmanager
def class_panels(
    path: Path, *, count: int, title: str, above: float = 0.0, pdf: bool = False
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A page with `count` panels from 0 to 1, recall by precision, and one legend of all that they show.

    `above` is the room for what stands over the panels, inches beyond one line.
    """
    rows = math.ceil(count / COLUMNS)
    columns = math.ceil(count / rows)
    size = {"width": max(columns * 1.8, 5.0), "height": rows * (PANEL + TITLE) + 0.6 + above}
    with page(path, **size, title=title, pdf=pdf) as figure:
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        yield figure, list(panels[:count])
        _finish(panels, count, columns)
        legend_below(figure, panels, columns=3)


def title_panel(axes: Axes, name: str, text: str) -> None:
    """The class's name, its middle cut out where too long for two lines, above a line of numbers."""
    words = plain(name, limit=2 * WIDTH - 4).replace("_", "_ ")  # lines may break behind an underscore
    lines = [line.replace("_ ", "_") for line in textwrap.wrap(words, WIDTH)]
    axes.set_title("\n".join(lines), pad=13)
    axes.annotate(text, (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points", color=INK)


def legend_below(figure: Figure, panels: Iterable[Axes], *, columns: int) -> None:
    """One legend, below the panels, of everything labelled in any of them."""
    known: dict[str, Artist] = {
        label: mark for axes in panels for mark, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(known.values()), list(known), loc="outside lower left", ncols=columns)


def _finish(panels: np.ndarray, count: int, columns: int) -> None:
    for index, axes in enumerate(panels):
        axes.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect="equal")
        axes.set_visible(index < count)
        axes.grid(color=PALE)
        if count - columns <= index < count:  # the lowest of its column, which need not be in the last row
            axes.set_xlabel("Recall")
            axes.tick_params(labelbottom=True)
        if index % columns == 0:
            axes.set_ylabel("Precision")
