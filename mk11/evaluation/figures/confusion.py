"""Confusion matrix: counts and shares of each true class side by side, with recall per class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm

from mk11.evaluation.figures.canvas import GREY, page, plain
from mk11.evaluation.figures.grid import LONGEST_NAME, draw_grid, field_side, shade_rows, shares_of_rows

SHADES = LinearSegmentedColormap.from_list("shades", ["#FFFFFF", "#9CC3DE", "#2C7BB6", "#08306B"])
DARK = 0.6  # from this share of the colour range on, numbers are white

Counts = Int[np.ndarray, "classes classes"]
MeanCounts = Counts | Float[np.ndarray, "classes classes"]  # averaged over seeds, they are not whole


def confusion_matrix(
    probabilities: Float[np.ndarray, "images classes"],
    labels: Int[np.ndarray, " images"],
    classes: Sequence[str],
    path: Path,
) -> None:
    """Draw what each true class (row) was taken for (column, the most probable class).

    Left, images; right, per cent of the row, rounded. Zeros are left blank, and shades grow with the square
    root so that rare confusions show. Classes without an image have a grey row and no recall.
    """
    draw_counts(counted(probabilities, labels), classes, path, title="Confusion matrix", note="", pdf=False)


def draw_counts(
    counts: MeanCounts, classes: Sequence[str], path: Path, *, title: str, note: str, pdf: bool
) -> None:
    """Draw a matrix of counts as `confusion_matrix` does; `note` stands above it."""
    names = [plain(name, limit=LONGEST_NAME) for name in classes]
    side = field_side(len(names)) * len(names)
    margin = 0.06 * max(map(len, names))
    size = {"width": 2 * side + margin + 1.6, "height": side + margin + (1.0 if note else 0.7)}
    with page(path, **size, title=title, pdf=pdf) as figure:
        if note:
            figure.suptitle(note, x=0.01, ha="left", size=7.5)
        left, right = figure.subplots(1, 2)
        _draw(
            left,
            counts,
            [_number(count) for count in counts.ravel().tolist()],
            names,
            top=max(float(counts.max()), 1.0),
        )
        left.set(ylabel="True class", yticks=range(len(names)), yticklabels=names)
        left.set_title("Images")
        shares = shares_of_rows(counts)
        _draw(right, shares, [_per_cent(share) for share in shares.ravel().tolist()], names, top=1)
        right.set_title("Per cent of true class")
        right.set_yticks([])
        _write_recall(right, counts)
        for axes in (left, right):
            shade_rows(axes, counts.sum(axis=1) == 0)


def counted(probabilities: Float[np.ndarray, "images classes"], labels: Int[np.ndarray, " images"]) -> Counts:
    """Images of each true class (row) by most probable class (column)."""
    classes = probabilities.shape[1]
    pairs = labels * classes + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def _draw(axes: Axes, values: np.ndarray, texts: Sequence[str], names: Sequence[str], *, top: float) -> None:
    places = np.asarray(PowerNorm(0.5, vmin=0, vmax=top)(values.ravel()))
    draw_grid(axes, texts, names, colors=SHADES(places), dark=places > DARK)


def _number(count: float) -> str:
    if count == 0:
        return ""
    return "<1" if count < 0.5 else f"{count:.0f}"


def _per_cent(share: float) -> str:
    return "<1" if 0 < share < 0.005 else _number(100 * share)


def _write_recall(axes: Axes, counts: MeanCounts) -> None:
    right, top = len(counts) - 0.5, -0.5
    look: dict[str, Any] = {
        "xycoords": "data",
        "textcoords": "offset points",
        "annotation_clip": False,
        "ha": "right",
    }
    axes.annotate("recall", (right, top), (30, 4), va="bottom", fontweight="bold", **look)
    axes.annotate("images", (right, top), (62, 4), va="bottom", color=GREY, **look)
    for row, (hits, support) in enumerate(zip(counts.diagonal(), counts.sum(axis=1), strict=True)):
        recall = f"{hits / support:.3f}" if support else "\N{EN DASH}"
        axes.annotate(recall, (right, row), (30, 0), va="center_baseline", fontweight="bold", **look)
        axes.annotate(f"{support:.0f}", (right, row), (62, 0), va="center_baseline", color=GREY, **look)
