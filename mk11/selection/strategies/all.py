"""Every crop that the filter kept: the published ablation's row with region filtering alone."""

import numpy as np

from mk11.errors import UserError
from mk11.selection.strategies.base import Candidates, Choice, Labelled, Strategy, by_score
from mk11.selection.thresholds import Measured


class All(Strategy):
    """All candidates."""

    name = "all"
    needs_budget = False

    def check(self, budget: int | None) -> None:
        """None: a part of all would be a choice."""
        if budget is not None:
            raise UserError(
                f"budget must be null for selection=all, but is {budget} (selection=random draws as many)"
            )

    def choose(
        self, candidates: Candidates, labelled: Labelled, measured: Measured, *, budget: int | None, seed: int
    ) -> Choice:
        """Ranked by distance / threshold, which chooses nothing here."""
        return by_score(measured.ratio, budget=None, allowed=np.ones(len(measured.distance), bool))
