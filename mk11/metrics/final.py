"""Final metrics from stored probabilities, by scikit-learn. Each name carries its definition.

All are fractions in [0, 1]; None where undefined. "Present" is a class with an image in the split.

- `accuracy`: share of images whose most probable class is right.
- `balanced_accuracy`: recall averaged over the classes present.
- `f1_weighted`: F1 averaged with the labels' counts as weights (the MK-11 code's F1).
- `f1_macro`: F1 averaged over the classes present in labels or predictions, so that a class predicted but
  never right counts 0 and a class that occurs nowhere does not count.
- `pr_auc`: area under each one-vs-rest precision-recall curve by the trapezoid rule, averaged over the
  classes present (the MK-11 code's PR-AUC; it is not average precision).
- `average_precision_macro`: step-wise area under the same curves, likewise averaged.
- `auroc_macro`: one-vs-rest area under the receiver operating characteristic, likewise averaged; undefined
  where all images are of one class.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from sklearn.metrics import auc, average_precision_score, f1_score, precision_recall_curve, roc_auc_score

OVERALL = (
    "accuracy",
    "balanced_accuracy",
    "f1_weighted",
    "f1_macro",
    "pr_auc",
    "average_precision_macro",
    "auroc_macro",
)

Scores = Float[np.ndarray, "images classes"]
Labels = Int[np.ndarray, " images"]


def classification_metrics(probabilities: Scores, labels: Labels, classes: Sequence[str]) -> dict[str, Any]:
    """Every metric of one split.

    Returns:
        The names of `OVERALL`; `images`, how many; `absent`, the classes without an image; and `per_class`,
        for each class its `precision`, `recall`, `f1`, `pr_auc` and `support` (images).
    """
    predicted = probabilities.argmax(axis=1)
    per_class = {
        name: _class_metrics(probabilities[:, index], labels == index, predicted == index)
        for index, name in enumerate(classes)
    }
    present = [index for index, values in enumerate(per_class.values()) if values["support"]]
    return {
        **_overall(probabilities, labels, predicted, present),
        "images": len(labels),
        "absent": [name for name, values in per_class.items() if not values["support"]],
        "per_class": per_class,
    }


def trapezoid_pr_auc(scores: Float[np.ndarray, " images"], positive: np.ndarray) -> float:
    """Trapezoidal area under one class's precision-recall curve; `positive` has at least one True."""
    precision, recall, _ = precision_recall_curve(positive, scores)
    return float(auc(recall, precision))


def _overall(
    probabilities: Scores, labels: Labels, predicted: Labels, present: list[int]
) -> dict[str, float | None]:
    def over_classes(measure: Callable[..., float], classes: Iterable[int]) -> float | None:
        return _mean([measure(labels == index, probabilities[:, index]) for index in classes])

    return {
        "accuracy": _mean((predicted == labels).tolist()),
        "balanced_accuracy": _mean([(predicted[labels == index] == index).mean() for index in present]),
        "f1_weighted": float(f1_score(labels, predicted, average="weighted", zero_division=0)),
        "f1_macro": float(f1_score(labels, predicted, average="macro", zero_division=0)),
        "pr_auc": over_classes(lambda positive, scores: trapezoid_pr_auc(scores, positive), present),
        "average_precision_macro": over_classes(average_precision_score, present),
        # With one class only there are no negatives to rank against.
        "auroc_macro": over_classes(roc_auc_score, present if len(present) > 1 else ()),
    }


def _class_metrics(
    scores: Float[np.ndarray, " images"], positive: np.ndarray, predicted: np.ndarray
) -> dict[str, float | int | None]:
    hits, support, claimed = int((positive & predicted).sum()), int(positive.sum()), int(predicted.sum())
    return {
        "precision": hits / claimed if claimed else None,
        "recall": hits / support if support else None,
        "f1": 2 * hits / (support + claimed) if support + claimed else None,
        "pr_auc": trapezoid_pr_auc(scores, positive) if support else None,
        "support": support,
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
