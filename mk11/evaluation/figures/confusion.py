"""Confusion matrix: counts and shares of each true class side by side, with recall per class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.patches import Rectangle
from matplotlib.transforms import AffineDeltaTransform

from mk11.evaluation.figures.canvas import GREY, INK, PALE, page, plain

LONGEST_NAME = 30  # characters
SHADES = LinearSegmentedColormap.from_list("shades", ["#FFFFFF", "#9CC3DE", "#2C7BB6", "#08306B"])
SMALLEST_FIELD, SMALLEST_MATRIX, GAP = 0.25, 1.5, 0.008  # inches; the gaps are the grid
FEW = 4  # up to so many classes, names below the matrix are slanted
SLANTED: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
UPRIGHT: dict[str, Any] = {"rotation": 90}
DARK = 0.6  # from this share of the colour range on, numbers are white

Counts = Int[np.ndarray, "classes classes"]


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
    names = [plain(name, limit=LONGEST_NAME) for name in classes]
    counts = counted(probabilities, labels)
    side = _field(len(names)) * len(names)
    margin = 0.06 * max(map(len, names))
    with page(
        path, width=2 * side + margin + 1.6, height=side + margin + 0.7, title="Confusion matrix"
    ) as figure:
        left, right = figure.subplots(1, 2)
        largest = max(int(counts.max()), 1)
        _draw(left, counts, [str(count) if count else "" for count in counts.flat], names, top=largest)
        left.set(ylabel="True class", yticks=range(len(names)), yticklabels=names)
        left.set_title("Images")
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        _draw(right, shares, [_per_cent(share) for share in shares.flat], names, top=1)
        right.set_title("Per cent of true class")
        right.set_yticks([])
        _write_recall(right, counts)
        for axes in (left, right):
            _shade_absent(axes, counts)


def counted(probabilities: Float[np.ndarray, "images classes"], labels: Int[np.ndarray, " images"]) -> Counts:
    """Images of each true class (row) by most probable class (column)."""
    classes = probabilities.shape[1]
    pairs = labels * classes + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def _draw(axes: Axes, values: np.ndarray, texts: Sequence[str], names: Sequence[str], *, top: int) -> None:
    size = len(names)
    norm = PowerNorm(0.5, vmin=0, vmax=top)
    font = 6 if _field(size) == SMALLEST_FIELD else 7.5
    rows, columns = np.divmod(np.arange(size**2), size)
    axes.add_collection(_squares(axes, columns, rows, colors=SHADES(norm(values.ravel()))))
    axes.set_facecolor(PALE)
    axes.set(aspect="equal", xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), xlabel="Predicted class")
    axes.set_xticks(range(size), names, **(UPRIGHT if size > FEW else SLANTED))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(True)
    for row, column, text in zip(rows, columns, texts, strict=True):
        color = "white" if norm(values[row, column]) > DARK else INK
        weight = "bold" if row == column else "normal"
        if text:
            axes.text(
                column, row, text, color=color, weight=weight, size=font, ha="center", va="center_baseline"
            )


def _field(classes: int) -> float:
    """Side of a field, inches."""
    return max(SMALLEST_FIELD, SMALLEST_MATRIX / classes)


def _squares(axes: Axes, columns: np.ndarray, rows: np.ndarray, *, colors: np.ndarray) -> PolyCollection:
    """The fields of the matrix as one shape used many times, which takes half the bytes of a mesh."""
    half = 0.5 - GAP / 2 / _field(1 + int(rows.max()))
    corners = half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    squares = PolyCollection(
        [corners],
        offsets=np.stack([columns, rows], axis=1),
        offset_transform=axes.transData,
        facecolors=colors,
        linewidths=0,
    )
    squares.set_transform(AffineDeltaTransform(axes.transData))  # type: ignore[arg-type]
    return squares


def _per_cent(share: float) -> str:
    if share == 0:
        return ""
    return "<1" if share < 0.005 else f"{100 * share:.0f}"


def _write_recall(axes: Axes, counts: Counts) -> None:
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
        axes.annotate(str(support), (right, row), (62, 0), va="center_baseline", color=GREY, **look)


def _shade_absent(axes: Axes, counts: Counts) -> None:
    for row in np.flatnonzero(counts.sum(axis=1) == 0):
        axes.add_patch(Rectangle((-0.5, row - 0.5), len(counts), 1, facecolor=PALE, edgecolor="none"))
