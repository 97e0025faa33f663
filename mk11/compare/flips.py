"""The images that A and B see differently."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mk11.evaluation.statistics.sets import FoldPredictions

KINDS = ("right -> wrong", "wrong -> right", "wrong -> other wrong")  # from A to B


@dataclass(frozen=True)
class Flip:
    """One image with the class that each side takes it for, and how probable it finds that."""

    id: str
    fold: int | str
    true: str
    predicted: tuple[str, str]
    probability: tuple[float, float]

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        if self.true in self.predicted:
            return KINDS[0] if self.predicted[0] == self.true else KINDS[1]
        return KINDS[2]

    @property
    def confidence(self) -> float:
        """How sure the less sure of the two is."""
        return min(self.probability)


def flips(a: Sequence[FoldPredictions], b: Sequence[FoldPredictions]) -> list[Flip]:
    """Images with different predictions, the most confident contradictions first.

    A side with several seeds predicts by the mean of their probabilities. The folds hold the same images.
    """
    found = []
    for ours, theirs in zip(a, b, strict=True):
        means = [side.probabilities.mean(axis=0, dtype=np.float64) for side in (ours, theirs)]
        predicted = [mean.argmax(axis=1) for mean in means]
        for row in np.flatnonzero(predicted[0] != predicted[1]):
            found.append(
                Flip(
                    str(ours.ids[row]),
                    ours.fold,
                    ours.classes[ours.labels[row]],
                    (ours.classes[predicted[0][row]], ours.classes[predicted[1][row]]),
                    (float(means[0][row].max()), float(means[1][row].max())),
                )
            )
    return sorted(found, key=lambda flip: (-flip.confidence, flip.id))


def counts(found: Sequence[Flip]) -> dict[str, int]:
    """How many of each kind."""
    told = Counter(flip.kind for flip in found)
    return {kind: told[kind] for kind in KINDS}
