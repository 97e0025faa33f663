"""Two configurations on the same folds: is one better, by how much, and what could have been seen at all?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mk11.errors import UserError
from mk11.evaluation.statistics.bootstrap import Interval, fold_averages, percentile_interval, resample
from mk11.evaluation.statistics.paired import (
    bootstrap_p,
    corrected_t,
    detectable_difference,
    holm,
    paired_t,
)
from mk11.evaluation.statistics.sets import FoldPredictions, difference

ALPHA, POWER = 0.05, 0.8  # of the smallest detectable difference

__all__ = ["Comparison", "compare", "holm"]


@dataclass(frozen=True)
class Comparison:
    """First less second, averaged over folds: the paired bootstrap answers, the t-tests stand beside."""

    metric: str
    difference: float
    interval: Interval
    p_bootstrap: float
    t: float | None  # paired t-test over folds, as papers report it: too optimistic
    p_t: float | None
    corrected_t: float | None  # Nadeau and Bengio
    p_corrected: float | None
    detectable: float | None  # smallest difference: two-sided alpha 0.05, power 0.8, the corrected test
    folds: tuple[int | str, ...]
    per_fold: Mapping[int | str, float]  # where both sides are defined
    unit: str


def compare(
    a: Sequence[FoldPredictions],
    b: Sequence[FoldPredictions],
    *,
    metric: str,
    draws: int,
    seed: int,
    level: float,
) -> Comparison:
    """Compare a metric of two configurations, `a` less `b`, on the same folds, groups and draws.

    Seeds are averaged within their fold, in every draw. The t-tests are over folds; with fewer than two they
    are None, and the bootstrap still answers.

    Args:
        a: The folds of one configuration.
        b: Those of the other.
        metric: A name of `METRICS`, or `<measure>:<class>`.
        draws: How many bootstrap draws.
        seed: Of the draws.
        level: Coverage of the interval.

    Raises:
        UserError: The sides differ in their folds, their images or their classes; the message says in what.
    """
    a, b = _by_fold(a), _by_fold(b)
    _refuse_unlike(a, b)
    found = resample([a, b], metric, draws=draws, seed=seed)
    estimates, values = found.estimates[0] - found.estimates[1], found.values[0] - found.values[1]
    interval = percentile_interval(found, estimates, values, metric=metric, level=level)
    defined = [place for place, value in enumerate(estimates) if not np.isnan(value)]
    differences = estimates[defined]
    ratio = float(np.mean([_test_to_train(a[place], b[place]) for place in defined]))
    plain, corrected = paired_t(differences), corrected_t(differences, test_to_train=ratio)
    return Comparison(
        metric=metric,
        difference=interval.estimate,
        interval=interval,
        p_bootstrap=bootstrap_p(fold_averages(estimates, values)),
        t=plain and plain[0],
        p_t=plain and plain[1],
        corrected_t=corrected and corrected[0],
        p_corrected=corrected and corrected[1],
        detectable=detectable_difference(differences, test_to_train=ratio, alpha=ALPHA, power=POWER),
        folds=tuple(fold.fold for fold in a),
        per_fold={a[place].fold: float(estimates[place]) for place in defined},
        unit=found.unit,
    )


def _by_fold(folds: Sequence[FoldPredictions]) -> list[FoldPredictions]:
    return sorted(folds, key=lambda part: (str(type(part.fold)), part.fold))


def _refuse_unlike(a: Sequence[FoldPredictions], b: Sequence[FoldPredictions]) -> None:
    names = [_name(a, "the first"), _name(b, "the second")]
    numbers = [[part.fold for part in side] for side in (a, b)]
    for name, own, others in zip(names, numbers, reversed(numbers), strict=True):
        lacking = [str(fold) for fold in others if fold not in own]
        if lacking:
            raise UserError(
                "configurations that are compared must have the same finished folds, but "
                f"{name} lacks {'folds' if len(lacking) > 1 else 'fold'} {', '.join(lacking)}"
            )
    for ours, theirs in zip(a, b, strict=True):
        reason = difference(ours, theirs)
        if reason:
            raise UserError(
                f"configurations that are compared must be tested on the same images, but in fold "
                f"{ours.fold} of {names[0]} and {names[1]} {reason}"
            )


def _name(side: Sequence[FoldPredictions], otherwise: str) -> str:
    return (side[0].name if side else "") or otherwise


def _test_to_train(ours: FoldPredictions, theirs: FoldPredictions) -> float:
    """Test images over training images; of two training sets the smaller, which corrects more."""
    return len(ours.labels) / min(ours.train_images, theirs.train_images)
