"""Precision-recall curves of a configuration, one panel a class, over its folds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from mk11.evaluation.figures.canvas import BLUE, GREY, VERMILION
from mk11.evaluation.figures.panels import class_panels, title_panel
from mk11.evaluation.statistics.sets import FoldPredictions
from mk11.evaluation.statistics.summary import FoldSummary
from mk11.report.figures.bands import draw_band, precision_band
from mk11.report.figures.looks import NOTE, of_folds, told


def precision_recall_over_folds(
    folds: Sequence[FoldPredictions], areas: Mapping[str, FoldSummary], path: Path, *, name: str
) -> None:
    """Draw each class's mean curve over folds, with the range from the lowest to the highest fold.

    A dotted line marks chance, which is the class's share of the images, and a dot a fold's precision and
    recall when each image counts as its most probable class.

    Args:
        folds: Predictions on test images.
        areas: PR-AUC of each class over folds, as the tables give it.
        path: The SVG; a PDF is written beside it.
        name: Of the configuration.
    """
    classes = folds[0].classes
    spread = "of 1 fold" if len(folds) == 1 else f"mean ± sd over {of_folds(len(folds))}"
    with class_panels(
        path, count=len(classes), title="Precision-recall over folds", above=0.15, pdf=True
    ) as (
        figure,
        panels,
    ):
        figure.suptitle(f"{name}\nPR-AUC {spread}, n test images", **NOTE)
        for label, (subtype, axes) in enumerate(zip(classes, panels, strict=True)):
            support = sum(int((fold.labels == label).sum()) for fold in folds)
            title_panel(axes, subtype, f"{told(areas.get(subtype))}, n = {support}")
            _draw(axes, folds, label)


def argmax_decision(fold: FoldPredictions, label: int) -> tuple[float, float] | None:
    """Recall and precision where each image counts as its most probable class, over all seeds' predictions.

    None where the class has no image or is never predicted.
    """
    predicted = fold.probabilities.argmax(axis=2) == label  # (seeds, images)
    actual = fold.labels == label
    hits, claimed, support = (predicted & actual).sum(), predicted.sum(), actual.sum() * len(predicted)
    return (float(hits / support), float(hits / claimed)) if claimed and support else None


def _draw(axes: Axes, folds: Sequence[FoldPredictions], label: int) -> None:
    band = precision_band(folds, label)
    if band is None:
        axes.text(0.5, 0.5, "no image", color=GREY, ha="center", va="center")
        return
    several = "mean and range of folds" if len(folds) > 1 else "precision-recall curve"
    draw_band(axes, band, color=BLUE, label=several)
    share = float(np.mean([(fold.labels == label).mean() for fold in folds]))
    axes.axhline(share, color=GREY, linewidth=1.0, linestyle=":", label="chance (share of the class)")
    decisions = [found for fold in folds if (found := argmax_decision(fold, label))]
    if decisions:
        axes.plot(*np.transpose(decisions), "o", color=VERMILION, markersize=2.6, clip_on=False, zorder=4,
                  label="argmax by fold")  # fmt: skip
