"""Crops that a trained classifier is unsure of (Settles 2009, sec. 3.1)."""

from abc import abstractmethod

import numpy as np
from jaxtyping import Float

from mk11.errors import UserError
from mk11.selection.strategies.base import Candidates, Choice, Labelled, Strategy, by_score
from mk11.selection.thresholds import Measured


class Uncertainty(Strategy):
    """The `budget` candidates with the highest uncertainty of the class probabilities."""

    needs_probabilities = True

    @abstractmethod
    def uncertainty(
        self, probabilities: Float[np.ndarray, "candidates classes"]
    ) -> Float[np.ndarray, " candidates"]:
        """The higher, the less sure."""

    def choose(
        self, candidates: Candidates, labelled: Labelled, measured: Measured, *, budget: int | None, seed: int
    ) -> Choice:
        """By uncertainty."""
        if candidates.probabilities is None:
            raise UserError(
                f"selection={self.name} must have class probabilities of a trained classifier, but has none"
            )
        known = len(candidates.probabilities) > 0
        unsure = self.uncertainty(candidates.probabilities) if known else np.empty(0)
        return by_score(-unsure, budget=budget, allowed=np.ones(len(unsure), bool))
