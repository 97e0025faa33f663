"""Patients as the units that are drawn: all images of one, or none."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from mk11.errors import UserError
from mk11.evaluation.statistics.ranking import Weights
from mk11.evaluation.statistics.sets import FoldPredictions


def clusters(groups: np.ndarray) -> Int[np.ndarray, " images"]:
    """Number of each image's patient; an image without one is a patient of its own."""
    names, numbers = np.unique(groups, return_inverse=True)
    alone = groups == ""
    numbers[alone] = len(names) + np.arange(alone.sum())
    return np.unique(numbers, return_inverse=True)[1]


def draw_weights(
    patients: Int[np.ndarray, " images"], *, draws: int, generator: np.random.Generator
) -> Weights:
    """How often each image is drawn: whole patients with replacement, as many as there are."""
    number = int(patients.max()) + 1
    counts = generator.multinomial(number, np.full(number, 1 / number), size=draws)  # (draws, patients)
    return counts.T.astype(np.int32)[patients]


def counted(part: FoldPredictions, patients: Int[np.ndarray, " images"]) -> int:
    """How many patients; UserError for one alone, whose draws would all be alike."""
    number = int(patients.max()) + 1
    if number < 2:
        raise UserError(
            f"a bootstrap must have at least 2 patients in each fold, but fold {part.fold}"
            f"{f' of {part.name}' if part.name else ''} has all its images from one"
        )
    return number


def unit_of(folds: Sequence[FoldPredictions]) -> str:
    """What is resampled: patient, image, or `patient or image` where some patients are unknown."""
    known = np.concatenate([fold.groups != "" for fold in folds])
    if known.all():
        return "patient"
    return "patient or image" if known.any() else "image"
