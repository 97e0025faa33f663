"""Crops near enough to a prototype (ActiveSSF, sec. 3, arXiv 2502.08200)."""

import numpy as np

from mk11.selection.strategies.base import Candidates, Choice, Labelled, Strategy, by_score
from mk11.selection.thresholds import Measured


class ActiveSSF(Strategy):
    """Without a budget: all within their prototype's threshold, as published.

    With one: those with the smallest distance / threshold, within the threshold or not, so that rivals can be
    given an equal number.
    """

    name = "activessf"
    needs_budget = False

    def choose(
        self, candidates: Candidates, labelled: Labelled, measured: Measured, *, budget: int | None, seed: int
    ) -> Choice:
        """By distance / threshold."""
        allowed = measured.within if budget is None else np.ones(len(measured.distance), bool)
        return by_score(measured.ratio, budget=budget, allowed=allowed)
