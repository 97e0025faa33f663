"""How near a crop must be to a prototype to be learned from (ActiveSSF, eq. 8)."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from mk11.data.settings import Given, check_choice, check_positive
from mk11.errors import UserError
from mk11.selection.prototypes import Prototypes, distances

BOUNDS = ("cluster", "fixed")
MATCHES = ("nearest", "every")


class Measured(NamedTuple):
    """Candidates beside the prototypes: for each the prototype that decides, and how far that is."""

    prototype: Int[np.ndarray, " candidates"]
    distance: Float[np.ndarray, " candidates"]
    threshold: Float[np.ndarray, " candidates"]  # of that prototype

    @property
    def ratio(self) -> Float[np.ndarray, " candidates"]:
        """Up to 1 a candidate is within its threshold; with a threshold of 0 it is 0 or infinite."""
        return ratios(self.distance, self.threshold)

    @property
    def within(self) -> Bool[np.ndarray, " candidates"]:
        """Whether the distance is at most the threshold."""
        return self.distance <= self.threshold


class ThresholdRule:
    """How thresholds are made; every argument is a key of conf/selection/base/prototypes.yaml.

    Raises:
        UserError: a value that its key cannot hold; instantiate() wraps it.
    """

    def __init__(self, *, bounds: Given, lower: Given, upper: Given, alpha: Given, match: Given) -> None:
        check_choice("selection.thresholds.bounds", bounds, BOUNDS)
        check_choice("selection.thresholds.match", match, MATCHES)
        check_positive("selection.thresholds.lower", lower)
        check_positive("selection.thresholds.upper", upper)
        if upper < lower:
            raise UserError(
                f"selection.thresholds.upper must be at least selection.thresholds.lower ({lower}),"
                f" but is {upper}"
            )
        if alpha != 0:
            check_positive("selection.thresholds.alpha", alpha)
        self.bounds, self.lower, self.upper, self.alpha = bounds, float(lower), float(upper), float(alpha)
        self.match = match

    def of(self, prototypes: Prototypes) -> Float[np.ndarray, " prototypes"]:
        """The threshold of each prototype; bounds `cluster`: its members' smallest and largest distance."""
        if self.bounds == "cluster":
            return thresholds(prototypes.sizes, prototypes.least, prototypes.most, alpha=self.alpha)
        lower, upper = (np.full(len(prototypes.sizes), bound) for bound in (self.lower, self.upper))
        return thresholds(prototypes.sizes, lower, upper, alpha=self.alpha)

    def measure(self, features: Float[np.ndarray, "candidates dim"], prototypes: Prototypes) -> Measured:
        """Each candidate beside its nearest prototype, or the one that it is nearest to for its threshold.

        `nearest` is the paper's text: only the nearest prototype can admit a crop. `every` is its listing:
        any can, and the one with the smallest distance / threshold is told.
        """
        limits = self.of(prototypes)
        apart = distances(features, prototypes.centres)
        judged = apart if self.match == "nearest" else ratios(apart, limits)
        chosen = judged.argmin(axis=1)
        return Measured(chosen, apart[np.arange(len(chosen)), chosen], limits[chosen])


def thresholds(
    sizes: Int[np.ndarray, " prototypes"],
    lower: Float[np.ndarray, " prototypes"],
    upper: Float[np.ndarray, " prototypes"],
    *,
    alpha: float,
) -> Float[np.ndarray, " prototypes"]:
    """LB + (UB - LB) * (1 - n_i / n_max) ** alpha (ActiveSSF, eq. 8).

    The largest cluster has its lower bound, a very small one nearly its upper bound: rare kinds get in more
    easily. (The paper's text once says the opposite; its formula and its aim say this.) With alpha = 0 all
    have the upper bound, the largest too, as 0 ** 0 is 1.

    Args:
        sizes: n_i, labelled crops of each prototype.
        lower: LB of each.
        upper: UB of each.
        alpha: 0 and above; the larger, the nearer all come to the lower bound.
    """
    rarity = 1 - sizes / sizes.max()
    # The clip only takes back what rounding adds: LB + (UB - LB) may miss UB in its last digit.
    return np.clip(lower + (upper - lower) * rarity**alpha, lower, upper)


def ratios(
    distance: Float[np.ndarray, "*shape"], threshold: Float[np.ndarray, " last"]
) -> Float[np.ndarray, "*shape"]:
    """Distances / thresholds; with a threshold of 0: 0 where the distance is 0, else infinity."""
    distance, threshold = np.broadcast_arrays(distance, threshold)
    outside = np.where(distance > 0, np.inf, 0.0)
    return np.divide(distance, threshold, out=outside, where=threshold > 0)
