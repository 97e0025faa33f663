"""The final metrics of images that count several times, for many draws at once, class by class.

Each metric is the mean of its terms, most often one for each class; a term is NaN where it is undefined under
the weights of a draw, and is then left out of the mean (`mk11.metrics.final` has the definitions).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mk11.errors import UserError
from mk11.evaluation.statistics import ranking
from mk11.evaluation.statistics.arrays import divide
from mk11.evaluation.statistics.ranking import PerDraw, Ranked, Weights, ranker
from mk11.metrics.final import OVERALL
from mk11.runs.shapes import CLASS_MEASURES

Terms = Float[np.ndarray, "terms draws"]
Measure = Callable[[Weights], Terms]


@dataclass(frozen=True)
class Counts:
    """What a confusion matrix says of each class, under the weights of each draw."""

    hits: Float[np.ndarray, "classes draws"]
    support: Float[np.ndarray, "classes draws"]
    claimed: Float[np.ndarray, "classes draws"]


def accuracy(counts: Counts) -> Terms:
    """Share of images whose most probable class is right."""
    total = counts.support.sum(axis=0, keepdims=True)
    return divide(counts.hits.sum(axis=0, keepdims=True), total, otherwise=np.nan)


def recall(counts: Counts) -> Terms:
    """Of the class's images, the share that was found."""
    return divide(counts.hits, counts.support, otherwise=np.nan)


def precision(counts: Counts) -> Terms:
    """Of the images said to be of the class, the share that is."""
    return divide(counts.hits, counts.claimed, otherwise=np.nan)


def f1(counts: Counts) -> Terms:
    """Harmonic mean of precision and recall; undefined only for a class that occurs nowhere."""
    return divide(2 * counts.hits, counts.support + counts.claimed, otherwise=np.nan)


def f1_weighted(counts: Counts) -> Terms:
    """F1 averaged with the labels' counts as weights."""
    weighted = (np.nan_to_num(f1(counts)) * counts.support).sum(axis=0, keepdims=True)
    return divide(weighted, counts.support.sum(axis=0, keepdims=True), otherwise=np.nan)


COUNTED: dict[str, Callable[[Counts], Terms]] = {
    "accuracy": accuracy,
    "balanced_accuracy": recall,
    "f1_weighted": f1_weighted,
    "f1_macro": f1,
    "precision": precision,
    "recall": recall,
    "f1": f1,
}
RANKED: dict[str, Callable[[Ranked], PerDraw]] = {
    "pr_auc": ranking.trapezoid_pr_auc,
    "average_precision_macro": ranking.average_precision,
    "auroc_macro": ranking.auroc,
}


def measure(
    metric: str,
    probabilities: Float[np.ndarray, "images classes"],
    labels: Int[np.ndarray, " images"],
    classes: Sequence[str],
) -> Measure:
    """The metric as a function of weights, all sorting done beforehand.

    Args:
        metric: A name of `OVERALL`, or `<measure>:<class>` with a measure of `CLASS_MEASURES`.
        probabilities: Of each class, in class order.
        labels: Right class of each image.
        classes: Their names.

    Raises:
        UserError: There is no such metric.
    """
    name, only = _parse(metric, classes)
    if name in RANKED:
        chosen = range(len(classes)) if only is None else (only,)
        return _ranked_terms(RANKED[name], probabilities, labels, chosen)
    found = _counted_terms(COUNTED[name], probabilities, labels)
    return found if only is None else lambda weights: found(weights)[only : only + 1]


def counts_of(
    predicted: Int[np.ndarray, " images"], labels: Int[np.ndarray, " images"], classes: int
) -> Callable[[Weights], Counts]:
    """Confusion counts as a function of weights."""
    names = np.arange(classes)[:, None]
    is_label, is_predicted = labels == names, predicted == names  # (classes, images)
    hit, label, said = (part.astype(np.float64) for part in (is_label & is_predicted, is_label, is_predicted))

    def count(weights: Weights) -> Counts:
        numbers = weights.astype(np.float64)
        return Counts(hits=hit @ numbers, support=label @ numbers, claimed=said @ numbers)

    return count


def _counted_terms(
    terms: Callable[[Counts], Terms],
    probabilities: Float[np.ndarray, "images classes"],
    labels: Int[np.ndarray, " images"],
) -> Measure:
    count = counts_of(probabilities.argmax(axis=1), labels, probabilities.shape[1])
    return lambda weights: terms(count(weights))


def _ranked_terms(
    area: Callable[[Ranked], PerDraw],
    probabilities: Float[np.ndarray, "images classes"],
    labels: Int[np.ndarray, " images"],
    chosen: Sequence[int],
) -> Measure:
    rankers = [
        ranker(probabilities[:, index], labels == index) if (labels == index).any() else None
        for index in chosen
    ]

    def terms(weights: Weights) -> Terms:
        nothing = np.full(weights.shape[1], np.nan)
        return np.stack([nothing if count is None else area(count(weights)) for count in rankers])

    return terms


def _parse(metric: str, classes: Sequence[str]) -> tuple[str, int | None]:
    if metric in OVERALL:
        return metric, None
    name, _, subtype = metric.partition(":")
    if name in CLASS_MEASURES and subtype in classes:
        return name, list(classes).index(subtype)
    raise UserError(
        f"the metric must be one of {', '.join(OVERALL)}, or <measure>:<class> with a measure of "
        f"{', '.join(CLASS_MEASURES)} and a class of {', '.join(classes)}, but is {metric}"
    )
