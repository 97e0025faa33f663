"""How far probabilities can be believed: reliability, calibration error, Brier score, temperature."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize_scalar

from mk11.errors import UserError
from mk11.evaluation.predictions import probability_columns, read_predictions
from mk11.evaluation.selective import area_under_coverage_risk
from mk11.evaluation.statistics.arrays import divide

Scores = Float[np.ndarray, "images classes"]
Labels = Int[np.ndarray, " images"]

SMALLEST = float(np.finfo(np.float32).tiny)  # stands for 0 under the logarithm
RANGE = (0.05, 20.0)  # of temperatures
BINS = 15  # of confidence, in what is reported


@dataclass(frozen=True)
class Reliability:
    """Images in bins of equal width by the probability of their predicted class."""

    edges: Float[np.ndarray, " edges"]  # one more than bins
    confidence: Float[np.ndarray, " bins"]  # its mean; NaN in an empty bin
    accuracy: Float[np.ndarray, " bins"]  # share that is right; NaN in an empty bin
    count: Int[np.ndarray, " bins"]


def reliability(probabilities: Scores, labels: Labels, *, bins: int) -> Reliability:
    """Confidence and accuracy in `bins` bins (low, high] over [0, 1]."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    confidence = probabilities.max(axis=1).astype(np.float64)
    place = np.searchsorted(edges[1:-1], confidence, side="left")
    right = probabilities.argmax(axis=1) == labels
    count = np.bincount(place, minlength=bins)
    sums = (np.bincount(place, weights=values, minlength=bins) for values in (confidence, right))
    means = [divide(total, count.astype(np.float64), otherwise=np.nan) for total in sums]
    return Reliability(edges=edges, confidence=means[0], accuracy=means[1], count=count)


def expected_calibration_error(probabilities: Scores, labels: Labels, *, bins: int) -> float:
    """Mean distance of confidence and accuracy over bins, weighted by images (Guo et al. 2017, eq. 3)."""
    found = reliability(probabilities, labels, bins=bins)
    gaps = np.nan_to_num(np.abs(found.confidence - found.accuracy))
    return float((gaps * found.count).sum() / found.count.sum())


def brier_score(probabilities: Scores, labels: Labels) -> float:
    """Squared distance of the probabilities from the truth, summed over classes: 0 to 2 (Brier 1950)."""
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities.astype(np.float64) - truth) ** 2).sum(axis=1).mean())


def fit_temperature(probabilities: Scores, labels: Labels) -> float:
    """The temperature of least negative log-likelihood on validation images (Guo et al. 2017, sec. 4.2).

    The likelihood is concave in 1/T, so the bounded search finds its only maximum; 1 where none is better.
    """

    def loss(log_temperature: float) -> float:
        return log_loss(tempered(probabilities, float(np.exp(log_temperature))), labels)

    found = minimize_scalar(loss, bounds=tuple(np.log(RANGE)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x)) if found.fun < loss(0.0) - 1e-12 else 1.0


def tempered(probabilities: Scores, temperature: float) -> Float[np.ndarray, "images classes"]:
    """softmax(log p / T): above 1 less sure, below 1 surer, the predicted class the same."""
    logits = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def log_loss(probabilities: Scores, labels: Labels) -> float:
    """Mean negative log-likelihood in nats; a probability of 0 counts as the smallest normal float32."""
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(true, SMALLEST)).mean())


def calibration_of(predictions: Path) -> dict[str, float]:
    """Of a run's best checkpoint on test, before and after a temperature that was fitted on validation.

    Raises:
        UserError: The predictions are missing or damaged, or lack a split.
    """
    table, classes = read_predictions(predictions)
    best = table[table["checkpoint"] == "best"]
    scores = best[probability_columns(classes)].to_numpy(np.float32)
    labels, split = best["label"].to_numpy(np.int64), best["split"].to_numpy()
    for name in ("val", "test"):
        if not (split == name).any():
            raise UserError(f"{predictions} must have predictions of best on {name}, but has none")
    temperature = fit_temperature(scores[split == "val"], labels[split == "val"])
    scores, labels = scores[split == "test"], labels[split == "test"]
    softened = tempered(scores, temperature)
    return {
        "ece": expected_calibration_error(scores, labels, bins=BINS),
        "brier": brier_score(scores, labels),
        "ece_tempered": expected_calibration_error(softened, labels, bins=BINS),
        "brier_tempered": brier_score(softened, labels),
        "temperature": temperature,
        "aurc": area_under_coverage_risk(scores, labels),
    }
