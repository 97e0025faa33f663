"""Percentile bootstrap over groups: patients, or slides or fields (Efron and Tibshirani 1993, sec. 13.3).

A draw takes, in each fold, as many groups as its test part has, with replacement, each with all of its
images; the metric is computed for each fold and seed, averaged over the seeds of the fold, then over folds.
So scores of different networks are never ranked together, and each fold keeps its weight. Where folds tear
groups apart, groups are drawn once for all folds instead (`mk11.evaluation.statistics.patients`).

An image whose group is unknown is a cluster of its own; `unit` tells what was resampled. A class that has
images in the fold but none in a draw is left out of that draw's mean over classes; `dropped` counts such
cases over draws and folds. The interval is about new patients for the networks that were trained; that other
training sets would have given other networks shows in the spread over folds and not in this interval.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mk11.errors import UserError
from mk11.evaluation.statistics.arrays import mean_of_defined
from mk11.evaluation.statistics.patients import counted, fold_weights, unit_of, units_of
from mk11.evaluation.statistics.ranking import Weights
from mk11.evaluation.statistics.sets import FoldPredictions
from mk11.evaluation.statistics.weighted import measure
from mk11.metrics.final import OVERALL

METRICS = OVERALL  # and `<measure>:<class>`, see `mk11.evaluation.statistics.weighted.measure`
BLOCK = 128  # draws at a time: the weights of a fold's images then stay in the processor's cache


@dataclass(frozen=True)
class Interval:
    """A percentile interval about the metric averaged over folds."""

    estimate: float
    low: float
    high: float
    level: float
    unit: str  # group, image, or `group or image` where some groups are unknown
    draws: int
    dropped: int  # classes missing from a fold in a draw, over all draws and folds
    folds: int
    units: int  # different groups or images over all folds
    fewest: int  # of them in the smallest fold: with few, no interval can be trusted


@dataclass(frozen=True)
class Resampled:
    """A metric of one or two configurations by fold: as it is, and under the same draws for all of them."""

    estimates: Float[np.ndarray, "sides folds"]
    values: Float[np.ndarray, "sides folds draws"]
    dropped: int
    units: int  # different groups, or images, of all folds
    fewest: int  # in the smallest fold
    unit: str


def interval(
    folds: Sequence[FoldPredictions], metric: str, *, draws: int, seed: int, level: float
) -> Interval:
    """Interval of the metric averaged over folds, by bootstrap over groups.

    Args:
        folds: Predictions of one configuration.
        metric: A name of `METRICS`, or `<measure>:<class>`.
        draws: How many.
        seed: Of the draws; the same for all configurations draws the same groups.
        level: Its coverage, such as 0.95.

    Raises:
        UserError: No fold, no such metric, one that is undefined in all folds, or a fold of a single group.
    """
    found = resample([folds], metric, draws=draws, seed=seed)
    return percentile_interval(found, found.estimates[0], found.values[0], metric=metric, level=level)


def resample(sides: Sequence[Sequence[FoldPredictions]], metric: str, *, draws: int, seed: int) -> Resampled:
    """The metric of each configuration in each fold, and under draws that are the same for all of them.

    The folds of all sides are taken to hold the same images.
    """
    if not sides[0]:
        raise UserError("a bootstrap must have at least one finished fold, but there is none")
    if draws < 1:
        raise UserError(f"the number of bootstrap draws must be at least 1, but is {draws}")
    fewest = min(map(counted, sides[0]))
    drawn = fold_weights(sides[0], draws=draws, seed=seed)
    estimates, values, dropped = [], [], 0
    for weights, *parts in zip(drawn, *sides, strict=True):
        found = [_one_side(part, metric, weights) for part in parts]
        estimates.append([estimate for estimate, _, _ in found])
        values.append([value for _, value, _ in found])
        dropped += int(np.max([missing for _, _, missing in found], axis=0).sum())
    return Resampled(
        estimates=np.array(estimates).T,
        values=np.moveaxis(np.array(values), 0, 1),
        dropped=dropped,
        units=units_of(sides[0]),
        fewest=fewest,
        unit=unit_of(sides[0]),
    )


def percentile_interval(
    resampled: Resampled,
    estimates: Float[np.ndarray, " folds"],
    values: Float[np.ndarray, "folds draws"],
    *,
    metric: str,
    level: float,
) -> Interval:
    """The interval of what `values` average to over folds; a fold where it is undefined is left out."""
    if not 0 < level < 1:
        raise UserError(f"the level of an interval must be between 0 and 1, but is {level}")
    defined = ~np.isnan(estimates)
    if not defined.any():
        raise UserError(f"{metric} must be defined in at least one fold, but is in none")
    averages = fold_averages(estimates, values)
    if not averages.size:
        raise UserError(f"{metric} must be defined in at least one draw, but is in none of {values.shape[1]}")
    low, high = np.quantile(averages, [(1 - level) / 2, (1 + level) / 2])
    return Interval(
        estimate=float(estimates[defined].mean()),
        low=float(low),
        high=float(high),
        level=level,
        unit=resampled.unit,
        draws=len(averages),
        dropped=resampled.dropped,
        folds=int(defined.sum()),
        units=resampled.units,
        fewest=resampled.fewest,
    )


def fold_averages(
    estimates: Float[np.ndarray, " folds"], values: Float[np.ndarray, "folds draws"]
) -> Float[np.ndarray, " kept"]:
    """Each draw's average over the folds where the metric is defined; draws with none are left out."""
    averages = mean_of_defined(values[~np.isnan(estimates)])
    return averages[~np.isnan(averages)]


def _one_side(
    part: FoldPredictions, metric: str, weights: Weights
) -> tuple[float, Float[np.ndarray, " draws"], Int[np.ndarray, " draws"]]:
    """The metric averaged over seeds, under each draw, and the terms that each draw lacks."""
    ones = np.ones_like(weights[:, :1])
    estimates, values, missing = [], [], []
    for probabilities in part.probabilities:
        terms_of = measure(metric, probabilities, part.labels, part.classes)
        whole = terms_of(ones)
        terms = _by_block(terms_of, weights)
        estimates.append(mean_of_defined(whole)[0])
        values.append(mean_of_defined(terms))
        missing.append((np.isnan(terms) & ~np.isnan(whole)).sum(axis=0))
    return (
        float(mean_of_defined(np.array(estimates))),
        mean_of_defined(np.array(values)),
        np.max(missing, axis=0),
    )


def _by_block(
    terms_of: Callable[[Weights], Float[np.ndarray, "terms some"]], weights: Weights
) -> Float[np.ndarray, "terms draws"]:
    blocks = range(0, weights.shape[1], BLOCK)
    return np.concatenate(
        [terms_of(np.ascontiguousarray(weights[:, start : start + BLOCK])) for start in blocks], axis=1
    )
