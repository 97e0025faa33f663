"""A few labelled images of each class: as many patients as there are, larger draws containing smaller."""

import numpy as np
from jaxtyping import Int

from mk11.data.sampler import earlier_occurrences


def shot_ranks(
    labels: Int[np.ndarray, " images"], groups: np.ndarray, *, seed: int, draw: int
) -> Int[np.ndarray, " images"]:
    """Place of each image in the order in which one draw takes its class; rank < n are its n shots.

    One order for every n, so that 5 shots contain the 1 shot. Patients come in random order, each with one
    random image, then each with a second: n shots show min(n, patients of the class) patients, as a few
    labels from one patient would show little but that patient.

    Args:
        labels: Class of each image.
        groups: Patient, slide or field of each; "" = unknown, taken as a group of its own.
        seed: Of all draws.
        draw: Number of this one.
    """
    generator = np.random.default_rng((seed, draw))
    ranks = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        group = _codes(groups[rows])
        turn = generator.permutation(group.max() + 1)[group]  # of the patient, in each round
        order = np.lexsort((turn, earlier_occurrences(group)))
        ranks[rows[order]] = np.arange(len(rows))
    return ranks


def _codes(groups: np.ndarray) -> Int[np.ndarray, " images"]:
    """A number for each group, a further one for each image whose group is unknown."""
    names, codes = np.unique(groups, return_inverse=True)
    unknown = groups == ""
    codes[unknown] = len(names) + np.arange(unknown.sum())
    return np.unique(codes, return_inverse=True)[1]
