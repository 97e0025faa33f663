"""Curves of several folds on common positions: their mean, and the lowest and highest fold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from sklearn.metrics import precision_recall_curve

from mk11.evaluation.figures.canvas import thinned
from mk11.evaluation.selective import coverage_risk
from mk11.evaluation.statistics.sets import FoldPredictions

RECALL = np.linspace(0, 1, 201)
COVERAGE = np.linspace(0.01, 1, 100)
UNSEEN = 0.0015  # what a drawn curve may be off, as a share of the axes

Curves = Float[np.ndarray, "folds points"]


@dataclass(frozen=True)
class Band:
    """What is drawn of several folds' curves; `curves` has one row a fold."""

    x: Float[np.ndarray, " points"]
    curves: Curves

    @property
    def mean(self) -> Float[np.ndarray, " points"]:
        """Over folds, at each position."""
        return self.curves.mean(axis=0)

    @property
    def low(self) -> Float[np.ndarray, " points"]:
        """Of the lowest fold at each position."""
        return self.curves.min(axis=0)

    @property
    def high(self) -> Float[np.ndarray, " points"]:
        """Of the highest fold at each position."""
        return self.curves.max(axis=0)


def precision_band(folds: Sequence[FoldPredictions], label: int) -> Band | None:
    """Precision of a class by recall; None where no fold has an image of the class.

    Each model ranks its own fold only. Its precision is read at common recalls by linear interpolation, as
    the trapezoid area does, then averaged over seeds, and the folds' curves are averaged at equal recall. So
    the area under the mean curve is the mean of the folds' PR-AUC, but for the width of the steps.
    """
    curves = [
        np.mean(
            [precision_at(RECALL, scores[:, label], fold.labels == label) for scores in fold.probabilities],
            axis=0,
        )
        for fold in folds
        if (fold.labels == label).any()
    ]
    return Band(RECALL, np.stack(curves)) if curves else None


def precision_at(
    recall: Float[np.ndarray, " points"],
    scores: Float[np.ndarray, " images"],
    positive: Bool[np.ndarray, " images"],
) -> Float[np.ndarray, " points"]:
    """Precision at some recalls, on straight lines between the points of the curve."""
    precision, reached, _ = precision_recall_curve(positive, scores)
    return np.interp(recall, reached[::-1], precision[::-1])


def risk_band(folds: Sequence[FoldPredictions]) -> Band:
    """Share of mistakes among the most confident images, by the share of images that are kept."""
    curves = [
        np.mean(
            [risk_at(COVERAGE, *coverage_risk(scores, fold.labels)) for scores in fold.probabilities], axis=0
        )
        for fold in folds
    ]
    return Band(COVERAGE, np.stack(curves))


def risk_at(
    coverage: Float[np.ndarray, " points"],
    reached: Float[np.ndarray, " steps"],
    risk: Float[np.ndarray, " steps"],
) -> Float[np.ndarray, " points"]:
    """Risk when at least so many images are kept: the step function whose area is reported."""
    return risk[np.searchsorted(reached, coverage - 1e-9)]


def history_band(histories: Mapping[tuple[int | str, int], pd.DataFrame], column: str) -> Band | None:
    """A column of `metrics.csv` by epoch, over the epochs that all runs have; seeds are averaged first.

    Args:
        histories: (fold, seed) to the run's epochs.
        column: Such as `val/loss`; None is returned where a run lacks it.
    """
    if not histories or any(column not in history for history in histories.values()):
        return None
    table = pd.DataFrame({key: history.set_index("epoch")[column] for key, history in histories.items()})
    common = sorted(set.intersection(*(set(history["epoch"]) for history in histories.values())))
    if not common:
        return None
    folds = sorted({fold for fold, _ in histories}, key=str)
    curves = [
        table.loc[common, [key for key in histories if key[0] == fold]].mean(axis=1, skipna=False)
        for fold in folds
    ]
    return Band(np.array(common, dtype=float), np.stack([curve.to_numpy(float) for curve in curves]))


def draw_band(axes: Axes, band: Band, *, color: str, linestyle: str = "-", label: str | None = None) -> None:
    """The range over folds as an area under the mean as a line; one fold alone has no area."""
    if len(band.curves) > 1:
        edge = np.concatenate([_thin(band.x, band.low), _thin(band.x, band.high)[::-1]])
        axes.fill(*edge.T, facecolor=color, alpha=0.22, linewidth=0, clip_on=False)
    axes.plot(
        *_thin(band.x, band.mean).T,
        color=color,
        linestyle=linestyle,
        linewidth=1.4,
        label=label,
        clip_on=False,
    )


def _thin(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The points that can be seen, where both axes go to about one; a curve with gaps is left as it is."""
    curve = np.stack([x, y], axis=1)
    return thinned(curve, tolerance=UNSEEN) if np.isfinite(curve).all() else curve
