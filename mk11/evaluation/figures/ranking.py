"""Precision-recall: one panel a class, because eighteen curves on one another cannot be told apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from sklearn.metrics import precision_recall_curve

from mk11.evaluation.figures.canvas import BLUE, GREY, VERMILION, thinned
from mk11.evaluation.figures.panels import POINT, class_panels, title_panel
from mk11.metrics.final import classification_metrics

UNSEEN, UNDER_LINE = 0.15 * POINT, 0.45 * POINT  # what the curve and, beneath it, the area's edge may be off
LINE: dict[str, Any] = {"color": BLUE, "linewidth": 1.2}  # points
FILL = "#D9E8F3"


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
    with class_panels(path, count=len(classes), title="Precision-recall curves") as (figure, panels):
        for index, (name, axes) in enumerate(zip(classes, panels, strict=True)):
            values = metrics["per_class"][name]
            area = "undefined" if values["pr_auc"] is None else f"{values['pr_auc']:.3f}"
            title_panel(axes, name, f"PR-AUC {area}, n = {values['support']}")
            if values["support"]:
                _draw(axes, probabilities[:, index], labels == index, values)
            else:
                axes.text(0.5, 0.5, "no image", color=GREY, ha="center", va="center")
        if metrics["pr_auc"] is not None:
            present = len(classes) - len(metrics["absent"])
            title = f"Mean PR-AUC {metrics['pr_auc']:.3f} ({present} classes present, {len(labels)} images)"
            figure.suptitle(title, x=0.01, ha="left", size=8.5)


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
