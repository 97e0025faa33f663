"""Crops drawn at random: what any other strategy has to beat."""

import numpy as np

from mk11.selection.strategies.base import Candidates, Choice, Labelled, Strategy, by_score
from mk11.selection.thresholds import Measured


class Random(Strategy):
    """`budget` candidates, each as likely as the other; a larger budget adds to a smaller one's."""

    name = "random"

    def choose(
        self, candidates: Candidates, labelled: Labelled, measured: Measured, *, budget: int | None, seed: int
    ) -> Choice:
        """By a number drawn for each."""
        drawn = np.random.default_rng(seed).random(len(measured.distance))
        return by_score(drawn, budget=budget, allowed=np.ones(len(drawn), bool))
