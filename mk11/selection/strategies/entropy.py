"""Largest entropy of the class probabilities (Shannon 1948; Settles 2009, sec. 3.1)."""

import numpy as np
from jaxtyping import Float
from skactiveml.pool import uncertainty_scores

from mk11.selection.strategies.uncertainty import Uncertainty


class Entropy(Uncertainty):
    """- sum p log p."""

    name = "entropy"

    def uncertainty(
        self, probabilities: Float[np.ndarray, "candidates classes"]
    ) -> Float[np.ndarray, " candidates"]:
        """Of each candidate."""
        return uncertainty_scores(probabilities.astype(np.float64), method="entropy")
