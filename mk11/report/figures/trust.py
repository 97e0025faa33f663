"""How far a configuration's probabilities can be trusted: reliability, and coverage against risk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from mk11.evaluation.calibration import fit_temperature, reliability, tempered
from mk11.evaluation.figures.canvas import BLUE, GREY, INK, SKY, page
from mk11.evaluation.statistics.sets import FoldPredictions
from mk11.evaluation.statistics.summary import FoldSummary
from mk11.report.figures.bands import draw_band, risk_band
from mk11.report.figures.looks import NOTE, of_folds, range_of_folds, told
from mk11.report.measured import BINS

DOTS: dict[str, Any] = {"color": SKY, "linewidths": 0, "alpha": 0.8, "clip_on": False}
LINE: dict[str, Any] = {"color": BLUE, "linewidth": 1.4, "marker": "o", "markersize": 2.5, "clip_on": False}
LARGEST_DOT = 60.0  # square points, for a fold's whole test split

Bins = Float[np.ndarray, "folds bins"]
Scores = Sequence[Float[np.ndarray, "_ _ _"]]  # of each fold: seeds, images, classes


def tempered_folds(test: Sequence[FoldPredictions], val: Sequence[FoldPredictions]) -> Scores:
    """Test probabilities after the temperature that suits the same model's validation images."""
    return [
        np.stack(
            [
                tempered(scores, fit_temperature(known, on_val.labels))
                for scores, known in zip(on_test.probabilities, on_val.probabilities, strict=True)
            ]
        )
        for on_test, on_val in zip(test, val, strict=True)
    ]


def bins_of_folds(folds: Sequence[FoldPredictions], probabilities: Scores) -> tuple[Bins, Bins, Bins]:
    """Confidence, accuracy and number of images in each bin of confidence, seeds averaged within their fold.

    A bin without an image has a count of 0, and 0 for the other two.
    """
    parts = []
    for fold, scores in zip(folds, probabilities, strict=True):
        found = [reliability(of_seed, fold.labels, bins=BINS) for of_seed in scores]
        counts = np.mean([one.count for one in found], axis=0)
        sums = [
            np.mean([np.nan_to_num(getattr(one, name)) * one.count for one in found], axis=0)
            for name in ("confidence", "accuracy")
        ]
        parts.append([*(total / np.where(counts > 0, counts, 1) for total in sums), counts])
    confidence, accuracy, counts = np.stack(parts, axis=1)
    return confidence, accuracy, counts


def reliability_over_folds(
    test: Sequence[FoldPredictions],
    val: Sequence[FoldPredictions],
    calibration: Mapping[str, FoldSummary],
    path: Path,
    *,
    name: str,
) -> None:
    """Draw how often predictions of some confidence are right, before and after temperature scaling.

    Args:
        test: Predictions on test images, drawn.
        val: Of the same models on validation images, which the temperatures are fitted on.
        calibration: `ece`, `ece_tempered` and `temperature` over folds, as the tables give them.
        path: The SVG; a PDF is written beside it.
        name: Of the configuration.
    """
    with page(path, width=6.2, height=4.3, title="Reliability over folds", pdf=True) as figure:
        figure.suptitle(f"{name}\ntest images of {of_folds(len(test))}", **NOTE)
        axes = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=[4, 1])
        before = [fold.probabilities for fold in test]
        for (curve, bars), scores, tempers in zip(
            axes.T, (before, tempered_folds(test, val)), (False, True), strict=True
        ):
            _draw_reliability(curve, bars, *bins_of_folds(test, scores))
            curve.set_title("After temperature scaling" if tempers else "As trained", pad=14)
            text = _known("ECE", calibration.get("ece_tempered" if tempers else "ece"))
            text += _known(", temperature", calibration.get("temperature")) if tempers else ""
            curve.annotate(text, (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points")
        axes[0, 0].set_ylabel("Share that is right")
        axes[1, 0].set_ylabel("Images, %")
        axes[0, 0].legend(loc="upper left", handlelength=1.6)


def _known(name: str, summary: FoldSummary | None) -> str:
    return f"{name} {told(summary)}" if summary else ""


def _draw_reliability(curve: Axes, bars: Axes, confidence: Bins, accuracy: Bins, counts: Bins) -> None:
    """Dots of folds and the line of all, above the share of images in each bin."""
    curve.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.0, label="perfect")
    sizes = LARGEST_DOT * counts / counts.sum(axis=1, keepdims=True)
    seen = counts > 0
    curve.scatter(confidence[seen], accuracy[seen], s=sizes[seen] + 1.5, label="a fold; area: images", **DOTS)
    total = counts.sum(axis=0)
    full = total > 0
    pooled = [(values * counts).sum(axis=0)[full] / total[full] for values in (confidence, accuracy)]
    curve.plot(*pooled, label="all folds", **LINE)
    curve.set(xlim=(0, 1), ylim=(0, 1))
    curve.grid()
    edges = np.linspace(0, 1, counts.shape[1] + 1)
    bars.bar(edges[:-1], 100 * total / total.sum(), width=1 / counts.shape[1], align="edge", color=BLUE,
             edgecolor="white", linewidth=0.4)  # fmt: skip
    bars.set(xlabel="Confidence: probability of the predicted class")


def coverage_risk_over_folds(
    folds: Sequence[FoldPredictions], area: FoldSummary | None, path: Path, *, name: str
) -> None:
    """Draw the share of mistakes among the images kept, when the least confident are left to an expert.

    Args:
        folds: Predictions on test images.
        area: Under the curve, over folds, as the tables give it.
        path: The SVG; a PDF is written beside it.
        name: Of the configuration.
    """
    with page(path, width=4.2, height=3.0, title="Coverage and risk over folds", pdf=True) as figure:
        figure.suptitle(name, **NOTE)
        axes = figure.subplots()
        band = risk_band(folds)
        draw_band(axes, band, color=BLUE, label=range_of_folds(len(folds)))
        axes.axhline(band.mean[-1], color=INK, linestyle=":", linewidth=1.0, label="left out at random")
        axes.set(xlim=(0, 1), xlabel="Coverage: share of images kept, the most confident first")
        axes.set_ylabel("Risk: share of mistakes")
        axes.set_ylim(0, 1.08 * max(float(band.high.max()), 0.01))
        axes.set_title(_known("Area under the curve", area))
        axes.grid()
        axes.legend(loc="best")
