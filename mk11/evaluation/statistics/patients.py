"""Groups (patients, slides or fields) as the units that are drawn: all images of one, or none."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from mk11.errors import UserError
from mk11.evaluation.statistics.ranking import Weights
from mk11.evaluation.statistics.sets import FoldPredictions

Clusters = Int[np.ndarray, " images"]

WORDS = {"group": "groups (patients, slides or fields)", "image": "images"}


def clusters(groups: np.ndarray) -> Clusters:
    """Number of each image's group; an image without one is a group of its own."""
    names, numbers = np.unique(groups, return_inverse=True)
    alone = groups == ""
    numbers[alone] = len(names) + np.arange(alone.sum())
    return np.unique(numbers, return_inverse=True)[1]


def fold_weights(folds: Sequence[FoldPredictions], *, draws: int, seed: int) -> list[Weights]:
    """How often each image of each fold is drawn.

    Folds that share no group draw each for itself, so that each keeps its number of groups. Where folds tear
    groups apart that would count a group once for each of its folds, as if it were several patients: then
    groups are drawn once, from those of all folds, and weigh the same wherever their images are.
    """
    if torn(folds):
        ends = np.cumsum([len(fold.groups) for fold in folds])[:-1]
        together = clusters(np.concatenate([fold.groups for fold in folds]))
        weights = draw_weights(together, draws=draws, generator=np.random.default_rng([seed, 0]))
        return np.split(weights, ends)
    return [
        draw_weights(clusters(fold.groups), draws=draws, generator=np.random.default_rng([seed, place]))
        for place, fold in enumerate(folds)
    ]


def draw_weights(units: Clusters, *, draws: int, generator: np.random.Generator) -> Weights:
    """How often each image is drawn: whole groups with replacement, as many as there are."""
    number = int(units.max()) + 1
    counts = generator.multinomial(number, np.full(number, 1 / number), size=draws)  # (draws, groups)
    return counts.T.astype(np.int32)[units]


def torn(folds: Sequence[FoldPredictions]) -> bool:
    """Whether images of one group are in several folds."""
    named = [set(fold.groups.tolist()) - {""} for fold in folds]
    return len(set().union(*named)) < sum(map(len, named))


def units_of(folds: Sequence[FoldPredictions]) -> int:
    """Different groups of all folds; an image of an unknown group counts as one."""
    return int(clusters(np.concatenate([fold.groups for fold in folds])).max()) + 1


def counted(fold: FoldPredictions) -> int:
    """How many groups; UserError for one alone, whose draws would all be alike."""
    number = units_of([fold])
    if number < 2:
        raise UserError(
            f"a bootstrap must have at least 2 groups (patients) in each fold, but fold {fold.fold}"
            f"{f' of {fold.name}' if fold.name else ''} has all its images from one"
        )
    return number


def unit_of(folds: Sequence[FoldPredictions]) -> str:
    """What is resampled: group, image, or `group or image` where some groups are unknown."""
    known = np.concatenate([fold.groups != "" for fold in folds])
    if known.all():
        return "group"
    return "group or image" if known.any() else "image"


def in_words(unit: str) -> str:
    """The same in the plural, for readers: what a group is depends on what the data name."""
    return " or ".join(WORDS[part] for part in unit.split(" or "))
