"""The difference class by class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mk11.compare.sides import Side
from mk11.errors import UserError
from mk11.evaluation.statistics.bootstrap import Interval
from mk11.evaluation.statistics.comparison import compare

MEASURES = {"pr_auc": "PR-AUC", "f1": "F1"}


@dataclass(frozen=True)
class ClassRow:
    """One class in one measure: both means over folds, and A less B."""

    subtype: str
    measure: str
    images: int  # tested, over all folds
    values: tuple[float | None, float | None]
    interval: Interval | None  # None where the measure is undefined in every fold


def by_class(pair: Sequence[Side], *, draws: int, seed: int, level: float) -> list[ClassRow]:
    """Every class in every measure. The intervals are of one class each, not adjusted for their number."""
    folds = pair[0].folds
    tested = np.sum([np.bincount(fold.labels, minlength=len(fold.classes)) for fold in folds], axis=0)
    return [
        ClassRow(
            subtype,
            measure,
            int(images),
            (pair[0].summary(f"{measure}:{subtype}").mean, pair[1].summary(f"{measure}:{subtype}").mean),
            _interval(pair, f"{measure}:{subtype}", draws=draws, seed=seed, level=level),
        )
        for subtype, images in zip(folds[0].classes, tested, strict=True)
        for measure in MEASURES
    ]


def _interval(pair: Sequence[Side], metric: str, *, draws: int, seed: int, level: float) -> Interval | None:
    try:
        return compare(
            pair[0].folds, pair[1].folds, metric=metric, draws=draws, seed=seed, level=level
        ).interval
    except UserError:  # undefined in every fold: the sides have been compared before
        return None
