"""Precision-recall: one panel a class, because eighteen curves on one another cannot be told apart."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from mk11.evaluation.figures.canvas import BLUE, GREY, INK, PALE, VERMILION, page, plain, thinned
from mk11.metrics.final import classification_metrics

COLUMNS = 4
PANEL, TITLE = 1.45, 0.6  # inches
POINT = 1 / (72 * PANEL)  # a typographic point in units of a panel
UNSEEN, UNDER_LINE = 0.15 * POINT, 0.45 * POINT  # what the curve and, beneath it, the area's edge may be off
LINE: dict[str, Any] = {"color": BLUE, "linewidth": 1.2}  # points
FILL = "#D9E8F3"
WIDTH = 21  # characters of a panel's title


def precision_recall(
    probabilities: Float[np.ndarray, "images classes"],
    labels: Int[np.ndarray, " images"],
    classes: Sequence[str],
    path: Path,
) -> None:
    """Draw each class's one-vs-rest precision-recall curve; the shaded area is its `pr_auc` (trapezoid).

    A dotted line marks chance, which is the class's share of the images, and a dot the precision and recall
    when each image counts as its most probable class, which F1 is computed from. A class without an image
    has an empty panel.
    """
    metrics = classification_metrics(probabilities, labels, classes)
    rows = math.ceil(len(classes) / COLUMNS)
    columns = math.ceil(len(classes) / rows)
    size = {"width": max(columns * 1.8, 5.0), "height": rows * (PANEL + TITLE) + 0.6}
    with page(path, **size, title="Precision-recall curves") as figure:
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for index, name in enumerate(classes):
            values = metrics["per_class"][name]
            _title(panels[index], name, values)
            if values["support"]:
                _draw(panels[index], probabilities[:, index], labels == index, values)
            else:
                panels[index].text(0.5, 0.5, "no image", color=GREY, ha="center", va="center")
        _finish(figure, panels, len(classes), columns)
        if metrics["pr_auc"] is not None:
            present = len(classes) - len(metrics["absent"])
            title = f"Mean PR-AUC {metrics['pr_auc']:.3f} ({present} classes present, {len(labels)} images)"
            figure.suptitle(title, x=0.01, ha="left", size=8.5)


def _title(axes: Axes, name: str, values: dict[str, Any]) -> None:
    words = plain(name, limit=2 * WIDTH - 4).replace("_", "_ ")  # lines may break behind an underscore
    lines = [line.replace("_ ", "_") for line in textwrap.wrap(words, WIDTH)]
    axes.set_title("\n".join(lines), pad=13)
    area = "undefined" if values["pr_auc"] is None else f"{values['pr_auc']:.3f}"
    text = f"PR-AUC {area}, n = {values['support']}"
    axes.annotate(text, (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points", color=INK)


def _draw(
    axes: Axes,
    scores: Float[np.ndarray, " images"],
    positive: Bool[np.ndarray, " images"],
    values: dict[str, Any],
) -> None:
    precision, recall, _ = precision_recall_curve(positive, scores)
    curve = thinned(np.stack([recall, precision], axis=1), tolerance=UNSEEN)
    area = np.concatenate([thinned(curve, tolerance=UNDER_LINE), [[0, 0], [1, 0]]])
    axes.fill(*area.T, facecolor=FILL, linewidth=0)
    axes.plot(*curve.T, **LINE, label="precision-recall curve", clip_on=False)
    axes.axhline(
        positive.mean(), color=GREY, linewidth=1.0, linestyle=":", label="chance (share of the class)"
    )
    if values["precision"] is not None:
        axes.plot(values["recall"], values["precision"], "o", color=VERMILION, markersize=3.5, clip_on=False,
                  linestyle="none", label="argmax decision", zorder=4)  # fmt: skip


def _finish(figure: Figure, panels: np.ndarray, count: int, columns: int) -> None:
    for index, axes in enumerate(panels):
        axes.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect="equal")
        axes.set_visible(index < count)
        axes.grid(color=PALE)
        if count - columns <= index < count:  # the lowest of its column, which need not be in the last row
            axes.set_xlabel("Recall")
            axes.tick_params(labelbottom=True)
        if index % columns == 0:
            axes.set_ylabel("Precision")
    known = {
        label: mark for axes in panels for mark, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(known.values(), known.keys(), loc="outside lower left", ncols=3)
