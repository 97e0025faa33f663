"""Tests of paired differences over folds, what they could have detected, and Holm's adjustment."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from scipy import special, stats

CONSTANT = 1e-12  # differences closer together than this do not vary: rounding is below it

Differences = Float[np.ndarray, " folds"]


def paired_t(differences: Differences) -> tuple[float, float] | None:
    """Student's paired t-test over folds: statistic and two-sided p-value.

    Its assumption that folds are independent is false, since their training sets overlap: it finds too much.
    None with fewer than 2 folds, or where the differences are constant but not 0: they have no scale then.
    """
    return _t_test(differences, 1 / max(len(differences), 1))


def corrected_t(differences: Differences, *, test_to_train: float) -> tuple[float, float] | None:
    """The corrected resampled t-test (Nadeau and Bengio 2003, sec. 3): t over sqrt((1/k + n2/n1) s^2).

    Args:
        differences: One for each of k folds.
        test_to_train: n2/n1, test images over training images.
    """
    return _t_test(differences, _corrected_factor(differences, test_to_train))


def detectable_difference(
    differences: Differences, *, test_to_train: float, alpha: float, power: float
) -> float | None:
    """The smallest true difference that the corrected test would have found with the given power.

    The standard error s * sqrt(1/k + n2/n1) times the non-centrality at which t with k - 1 degrees of freedom
    exceeds its two-sided critical value with probability `power` (the other tail's share, below 1e-4, is left
    out). It takes the spread over these few folds for the true one, so it is itself an estimate. None where
    the test is undefined or the folds do not vary.
    """
    if len(differences) < 2 or differences.std(ddof=1) < CONSTANT:
        return None
    freedom = len(differences) - 1
    error = differences.std(ddof=1) * np.sqrt(_corrected_factor(differences, test_to_train))
    critical = stats.t.ppf(1 - alpha / 2, freedom)
    return float(special.nctdtrinc(freedom, 1 - power, critical) * error)


def bootstrap_p(differences: Float[np.ndarray, " draws"]) -> float:
    """Two-sided p-value of a bootstrapped difference.

    Twice the smaller of the shares of draws at or below 0 and at or above 0, at most 1: one less the level of
    the widest percentile interval that leaves out 0. A share is (1 + n) / (1 + draws), the observed sample
    counted as a draw, so that it is never 0 (Davison and Hinkley 1997, sec. 4.2).
    """
    shares = [(1 + (side <= CONSTANT).sum()) / (1 + len(side)) for side in (differences, -differences)]
    return float(min(1.0, 2 * min(shares)))


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """P-values adjusted for their number by Holm's step-down method (1979), under the same names.

    The i-th smallest of m is multiplied by m - i + 1; none may be below one that was smaller, or above 1.
    """
    ordered = sorted(p, key=lambda name: p[name])
    scaled = [min(1.0, (len(p) - place) * p[name]) for place, name in enumerate(ordered)]
    adjusted = dict(zip(ordered, np.maximum.accumulate(scaled).tolist(), strict=True))
    return {name: adjusted[name] for name in p}


def _corrected_factor(differences: Differences, test_to_train: float) -> float:
    return 1 / max(len(differences), 1) + test_to_train


def _t_test(differences: Differences, factor: float) -> tuple[float, float] | None:
    """Statistic mean / sqrt(factor * variance), with one degree of freedom less than there are folds."""
    if len(differences) < 2:
        return None
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    if deviation < CONSTANT:
        return (0.0, 1.0) if abs(mean) < CONSTANT else None
    t = mean / (deviation * np.sqrt(factor))
    return float(t), float(2 * stats.t.sf(abs(t), len(differences) - 1))
