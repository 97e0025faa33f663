"""A matrix of classes by classes as coloured fields with numbers, which confusion matrices are drawn with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Rectangle
from matplotlib.transforms import AffineDeltaTransform

from mk11.evaluation.figures.canvas import INK, PALE

LONGEST_NAME = 30  # characters
SMALLEST_FIELD, SMALLEST_MATRIX, GAP = 0.25, 1.5, 0.008  # inches; the gaps are the grid
FEW = 4  # up to so many classes, names below the matrix are slanted
SLANTED: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
UPRIGHT: dict[str, Any] = {"rotation": 90}


def draw_grid(
    axes: Axes,
    texts: Sequence[str],
    names: Sequence[str],
    *,
    colors: Float[np.ndarray, "fields 4"],
    dark: Bool[np.ndarray, " fields"],
) -> None:
    """Draw the fields row by row; the true class is the row, and the diagonal is bold.

    Args:
        axes: Where.
        texts: What stands in each field; nothing is drawn for an empty one.
        names: Of the classes.
        colors: Of each field.
        dark: Whether a field needs white type.
    """
    size = len(names)
    font = 6 if field_side(size) == SMALLEST_FIELD else 7.5
    rows, columns = np.divmod(np.arange(size**2), size)
    axes.add_collection(_squares(axes, columns, rows, colors=colors))
    axes.set_facecolor(PALE)
    axes.set(aspect="equal", xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), xlabel="Predicted class")
    axes.set_xticks(range(size), names, **(UPRIGHT if size > FEW else SLANTED))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(True)
    for row, column, text, white in zip(rows, columns, texts, dark, strict=True):
        color = "white" if white else INK
        weight = "bold" if row == column else "normal"
        if text:
            axes.text(
                column, row, text, color=color, weight=weight, size=font, ha="center", va="center_baseline"
            )


def field_side(classes: int) -> float:
    """Side of a field, inches."""
    return max(SMALLEST_FIELD, SMALLEST_MATRIX / classes)


def shade_rows(axes: Axes, absent: Bool[np.ndarray, " classes"]) -> None:
    """Grey rows for the classes without an image."""
    for row in np.flatnonzero(absent):
        axes.add_patch(Rectangle((-0.5, row - 0.5), len(absent), 1, facecolor=PALE, edgecolor="none"))


def shares_of_rows(counts: Shaped[np.ndarray, "classes classes"]) -> Float[np.ndarray, "classes classes"]:
    """Each row as shares of its sum; a row without an image is all zero."""
    support = counts.sum(axis=1, keepdims=True)
    return counts / np.where(support > 0, support, 1)


def _squares(axes: Axes, columns: np.ndarray, rows: np.ndarray, *, colors: np.ndarray) -> PolyCollection:
    """The fields of the matrix as one shape used many times, which takes half the bytes of a mesh."""
    half = 0.5 - GAP / 2 / field_side(1 + int(rows.max()))
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
