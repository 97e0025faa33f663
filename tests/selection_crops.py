"""Candidates and labelled crops on a plane, for the tests of selection strategies."""

import numpy as np

from mk11.selection.prototypes import PrototypeRule
from mk11.selection.strategies.base import Candidates, Labelled
from mk11.selection.thresholds import ThresholdRule

CLASSES = ("blast", "granular")
PROTOTYPES = {"method": "per_class", "clusters": None, "per_class": 2, "starts": 2}
THRESHOLDS = {"bounds": "cluster", "lower": 15.0, "upper": 19.0, "alpha": 1.0, "match": "nearest"}


def rules(prototypes=None, **thresholds):
    return {
        "prototypes": PrototypeRule(**PROTOTYPES | (prototypes or {})),
        "thresholds": ThresholdRule(**THRESHOLDS | thresholds),
    }


def names(count, first="a"):
    """Hashes in the order of their numbers."""
    return [f"{first}{number:04d}" for number in range(count)]


def labelled():
    """Three crops of class 0 about (0, 0), at 1, 1 and 2; two of class 1 about (10, 0), both at 3."""
    features = np.array([[-1.0, 0.0], [-1.0, 0.0], [2.0, 0.0], [7.0, 0.0], [13.0, 0.0]], np.float32)
    return Labelled(names(5, "l"), features, np.array([0, 0, 0, 1, 1]), CLASSES)


def candidates(*places, probabilities=None):
    """Candidates at places on the x axis, hashes in their order."""
    features = np.array([[place, 0.0] for place in places], np.float32)
    return Candidates(names(len(places)), features, probabilities)


def shuffled(given, order):
    """The same candidates in another order."""
    known = given.probabilities
    hashes = [given.hashes[row] for row in order]
    return Candidates(hashes, given.features[order], None if known is None else known[order])
