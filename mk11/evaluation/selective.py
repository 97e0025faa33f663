"""Selective prediction: how the error falls when the least sure images are left to an expert."""

import numpy as np
from jaxtyping import Float, Int

Scores = Float[np.ndarray, "images classes"]
Labels = Int[np.ndarray, " images"]
Curve = Float[np.ndarray, " points"]


def coverage_risk(probabilities: Scores, labels: Labels) -> tuple[Curve, Curve]:
    """Share of images kept, and share of errors among them, for each threshold from the surest image down.

    An image is as sure as its most probable class; equally sure ones are kept together (El-Yaniv and Wiener
    2010). The last point keeps every image: its risk is 1 - accuracy.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    wrong = (probabilities.argmax(axis=1) != labels)[order]
    last = np.append(np.flatnonzero(np.diff(confidence[order])), len(order) - 1)
    kept = last + 1
    return kept / len(order), np.cumsum(wrong)[last] / kept


def area_under_coverage_risk(probabilities: Scores, labels: Labels) -> float:
    """Mean risk over coverages (AURC; Geifman, Uziel and El-Yaniv 2019, sec. 2): 0 is best.

    Each image adds the risk of keeping it and all that are at least as sure.
    """
    coverage, risk = coverage_risk(probabilities, labels)
    return float((np.diff(coverage, prepend=0.0) * risk).sum())
