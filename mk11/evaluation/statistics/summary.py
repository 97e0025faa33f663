"""Mean and spread over folds, of all classes, of each class, and of head, medium and tail classes.

Folds are the replicates. Seeds are not: the runs of one fold share its images, so they are averaged within
their fold first, and their spread stands apart.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mk11.evaluation.statistics.weighted import CLASS_MEASURES
from mk11.metrics.final import OVERALL

Cell = tuple[int | str, int]  # fold and seed


@dataclass(frozen=True)
class FoldSummary:
    """A figure over folds."""

    mean: float | None
    sd: float | None  # sample standard deviation over folds (n - 1); None below two folds
    folds: int  # with a value
    seeds: int
    seed_sd: float | None  # within a fold over its seeds, averaged over folds; None with one seed
    values: Mapping[int | str, float]  # of each fold, seeds averaged
    undefined: int  # values that were left out because they do not exist


def over_folds(values: Mapping[Cell, float | None]) -> FoldSummary:
    """Summarise the value of each (fold, seed); None is left out and counted."""
    by_fold: dict[int | str, list[float]] = defaultdict(list)
    for fold, seed in sorted(values, key=lambda cell: (isinstance(cell[0], str), *cell)):
        value = values[fold, seed]
        if value is not None:
            by_fold[fold].append(float(value))
    means = {fold: float(np.mean(found)) for fold, found in by_fold.items()}
    spreads = [float(np.std(found, ddof=1)) for found in by_fold.values() if len(found) > 1]
    return FoldSummary(
        mean=float(np.mean(list(means.values()))) if means else None,
        sd=float(np.std(list(means.values()), ddof=1)) if len(means) > 1 else None,
        folds=len(means),
        seeds=len({seed for (_, seed), value in values.items() if value is not None}),
        seed_sd=float(np.mean(spreads)) if spreads else None,
        values=means,
        undefined=sum(value is None for value in values.values()),
    )


def class_groups(train_counts: Mapping[str, float]) -> dict[str, list[str]]:
    """Head, medium and tail classes: thirds of the classes, ranked by their number of training images.

    Long-tail benchmarks cut at fixed counts (many: above 100 images, few: below 20; Liu et al. 2019, OLTR);
    in blood-cell sets hardly a class is that small, so the cut is by rank. Head and tail each get the whole
    number nearest to a third of the classes, medium the rest: 4, 3, 4 of 11; 6, 6, 6 of 18; 1, 0, 1 of 2.
    Equal counts are ranked by name; where all counts are equal nothing is head or tail, and all are medium.

    Args:
        train_counts: Images of each class, in one fold's training part or in any part of the same shares.

    Returns:
        `head`, `medium` and `tail`, each from the largest class down.
    """
    ranked = sorted(train_counts, key=lambda name: (-train_counts[name], name))
    third = round(len(ranked) / 3) if len(set(train_counts.values())) > 1 else 0
    last = len(ranked) - third
    return {"head": ranked[:third], "medium": ranked[third:last], "tail": ranked[last:]}


def summarise(metrics: Mapping[Cell, Mapping[str, Any]]) -> dict[str, FoldSummary]:
    """Each metric of `OVERALL` over folds.

    Args:
        metrics: Of each (fold, seed), one split's part of its metrics.json.
    """
    return {name: over_folds({cell: found.get(name) for cell, found in metrics.items()}) for name in OVERALL}


def summarise_classes(
    metrics: Mapping[Cell, Mapping[str, Any]], classes: Iterable[str]
) -> dict[str, dict[str, FoldSummary]]:
    """Precision, recall, F1 and PR-AUC of each class over folds."""
    return {
        name: {
            measure: over_folds({cell: found["per_class"][name][measure] for cell, found in metrics.items()})
            for measure in CLASS_MEASURES
        }
        for name in classes
    }


def summarise_groups(
    metrics: Mapping[Cell, Mapping[str, Any]], groups: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, FoldSummary]]:
    """The same of each group of classes: averaged over its classes in each run, then over folds.

    A class without a value in a run is left out of that run's average; `undefined` counts such classes.
    """
    return {
        group: {measure: _over_group(metrics, members, measure) for measure in CLASS_MEASURES}
        for group, members in groups.items()
        if members
    }


def _over_group(
    metrics: Mapping[Cell, Mapping[str, Any]], members: Sequence[str], measure: str
) -> FoldSummary:
    values = {
        cell: [found["per_class"][name][measure] for name in members] for cell, found in metrics.items()
    }
    defined = {cell: [value for value in found if value is not None] for cell, found in values.items()}
    summary = over_folds({cell: float(np.mean(found)) if found else None for cell, found in defined.items()})
    return replace(summary, undefined=sum(value is None for found in values.values() for value in found))
