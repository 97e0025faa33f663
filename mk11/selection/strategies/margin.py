"""Smallest gap between the two most probable classes (Scheffer et al. 2001; Settles 2009, sec. 3.1)."""

import numpy as np
from jaxtyping import Float
from skactiveml.pool import uncertainty_scores

from mk11.selection.strategies.uncertainty import Uncertainty


class Margin(Uncertainty):
    """1 - (p1 - p2), p1 and p2 the two largest probabilities."""

    name = "margin"

    def uncertainty(
        self, probabilities: Float[np.ndarray, "candidates classes"]
    ) -> Float[np.ndarray, " candidates"]:
        """Of each candidate."""
        return uncertainty_scores(probabilities.astype(np.float64), method="margin_sampling")
