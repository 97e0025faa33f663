"""Areas under ranking curves of images that count several times, for many draws at once.

A bootstrap draw is a column of weights: how often each image was drawn. Sorted by score once, the curve of a
draw is made of cumulative sums of its column. Precision-recall and ROC areas change only at scores that some
positive image has, so the sums are needed there alone: (positives, draws) numbers instead of (images, draws).
Tied scores enter together, as in scikit-learn. An image that was not drawn adds nothing to any sum, hence no
point to any curve.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mk11.evaluation.statistics.arrays import divide

Weights = Int[np.ndarray, "images draws"]
PerDraw = Float[np.ndarray, " draws"]


@dataclass(frozen=True)
class Ranked:
    """Weights about each tied run of scores that holds a positive image, from the highest score down."""

    positives: Float[np.ndarray, "runs draws"]  # in the run
    hits: Float[np.ndarray, "runs draws"]  # positives in runs before it
    claimed_before: Float[np.ndarray, "runs draws"]  # images of higher scores
    claimed_after: Float[np.ndarray, "runs draws"]  # and with those of the run
    total: PerDraw


def ranker(scores: Float[np.ndarray, " images"], positive: np.ndarray) -> Callable[[Weights], Ranked]:
    """Sort once; the function returned counts under any weights. Needs a positive image."""
    order = np.argsort(-scores, kind="stable")
    ranked, is_positive = scores[order], positive[order]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1])
    ends = np.append(starts[1:], len(ranked))
    places = np.flatnonzero(is_positive)
    runs, first = np.unique(np.searchsorted(ends, places, side="right"), return_index=True)
    cuts = np.unique(np.concatenate([[0], starts[runs], ends[runs], [len(ranked)]]))
    before, after = np.searchsorted(cuts, starts[runs]), np.searchsorted(cuts, ends[runs])

    def count(weights: Weights) -> Ranked:
        sorted_weights = weights[order]
        sums = np.add.reduceat(sorted_weights, cuts[:-1], axis=0).cumsum(axis=0)
        cumulative = np.concatenate([np.zeros_like(sums[:1]), sums]).astype(np.float64)
        positives = np.add.reduceat(sorted_weights[places], first, axis=0).astype(np.float64)
        return Ranked(
            positives=positives,
            hits=positives.cumsum(axis=0) - positives,
            claimed_before=cumulative[before],
            claimed_after=cumulative[after],
            total=cumulative[-1],
        )

    return count


def trapezoid_pr_auc(ranked: Ranked) -> PerDraw:
    """Trapezoidal area under the precision-recall curve, which starts at recall 0 and precision 1."""
    before = divide(ranked.hits, ranked.claimed_before, otherwise=1.0)
    after = divide(ranked.hits + ranked.positives, ranked.claimed_after, otherwise=1.0)
    return divide(_over_runs(ranked.positives, before + after) / 2, _positives(ranked), otherwise=np.nan)


def average_precision(ranked: Ranked) -> PerDraw:
    """Area under the steps of the precision-recall curve."""
    after = divide(ranked.hits + ranked.positives, ranked.claimed_after, otherwise=1.0)
    return divide(_over_runs(ranked.positives, after), _positives(ranked), otherwise=np.nan)


def auroc(ranked: Ranked) -> PerDraw:
    """Share of pairs of a positive and a negative image that are ranked rightly, a tie counting half."""
    above = ranked.claimed_before - ranked.hits
    above_or_tied = ranked.claimed_after - ranked.hits - ranked.positives
    negatives = ranked.total - _positives(ranked)
    right = _over_runs(ranked.positives, negatives - (above + above_or_tied) / 2)
    return divide(right, _positives(ranked) * negatives, otherwise=np.nan)


def _positives(ranked: Ranked) -> PerDraw:
    return ranked.positives.sum(axis=0)


def _over_runs(weights: Float[np.ndarray, "runs draws"], values: Float[np.ndarray, "runs draws"]) -> PerDraw:
    return np.einsum("rd,rd->d", weights, values)
