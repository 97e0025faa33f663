"""Confusion matrices over folds: one configuration's, and the difference of two."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.colors import LinearSegmentedColormap

from mk11.evaluation.figures.canvas import page, plain
from mk11.evaluation.figures.confusion import counted, draw_counts
from mk11.evaluation.figures.grid import LONGEST_NAME, draw_grid, field_side, shade_rows, shares_of_rows
from mk11.evaluation.statistics.sets import FoldPredictions
from mk11.report.figures.looks import NOTE, of_folds

# From orange to blue over white: told apart with any of the common colour deficiencies, and equally dark.
DIVERGING = LinearSegmentedColormap.from_list(
    "diverging", ["#7F3B08", "#E08214", "#FDDBB0", "#FFFFFF", "#BFD9EC", "#4A90C2", "#08306B"]
)
WORDS = "A \N{MINUS SIGN} B, percentage points of the true class; blue, +: A more often"
DARK = 0.72  # from this share of the largest difference on, numbers are white
SMALLEST_RANGE = 10.0  # percentage points: smaller differences do not get the darkest colours

Matrix = Float[np.ndarray, "classes classes"]


def pooled_counts(folds: Sequence[FoldPredictions]) -> Matrix:
    """Images by true and most probable class, added over folds; the seeds of a fold are averaged first."""
    return np.sum(
        [np.mean([counted(scores, fold.labels) for scores in fold.probabilities], axis=0) for fold in folds],
        axis=0,
    )


def pooled_confusion(folds: Sequence[FoldPredictions], path: Path, *, name: str) -> None:
    """Draw the matrix of all test images, each predicted by the model that has not seen it."""
    note = f"{name}\ntest images of {of_folds(len(folds))}, added"
    seeds = len(folds[0].probabilities)
    note += f"; mean of {seeds} seeds" if seeds > 1 else ""
    draw_counts(
        pooled_counts(folds), folds[0].classes, path, title="Confusion matrix over folds", note=note, pdf=True
    )


def difference_of_shares(a: Sequence[FoldPredictions], b: Sequence[FoldPredictions]) -> Matrix:
    """Percentage points of each true class (row): how much more often `a` says the column than `b`."""
    return 100 * (shares_of_rows(pooled_counts(a)) - shares_of_rows(pooled_counts(b)))


def difference_of_confusions(
    a: Sequence[FoldPredictions], b: Sequence[FoldPredictions], path: Path, *, names: tuple[str, str]
) -> None:
    """Draw the difference of two matrices, a minus b: blue where `a` says the column more often, orange less.

    Each row is in percentage points of the true class, rounded, so that a row adds up to nothing.
    """
    classes = [plain(name, limit=LONGEST_NAME) for name in a[0].classes]
    points = difference_of_shares(a, b)
    absent = pooled_counts(a).sum(axis=1) == 0
    side, margin = field_side(len(classes)) * len(classes), 0.06 * max(map(len, classes))
    size = {"width": max(side + margin + 0.5, 5.0), "height": side + margin + 1.0}
    with page(path, **size, title="Difference of two confusion matrices", pdf=True) as figure:
        figure.suptitle(f"A: {names[0]}\nB: {names[1]}\n{WORDS}", **NOTE)
        axes = figure.subplots()
        strength = points.ravel() / max(float(np.abs(points).max()), SMALLEST_RANGE)  # in [-1, 1]
        texts = [signed(value) for value in points.flat]
        draw_grid(axes, texts, classes, colors=DIVERGING((strength + 1) / 2), dark=np.abs(strength) > DARK)
        axes.set(ylabel="True class", yticks=range(len(classes)), yticklabels=classes)
        shade_rows(axes, absent)


def signed(value: float) -> str:
    """`+3`, `-12` with a true minus sign, or nothing where it rounds to nothing."""
    rounded = round(value)
    sign = "+" if rounded > 0 else "\N{MINUS SIGN}"
    return f"{sign}{abs(rounded)}" if rounded else ""
