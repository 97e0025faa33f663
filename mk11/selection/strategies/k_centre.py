"""CoreSet: crops that lie farthest from all that is known (Sener and Savarese 2018, algorithm 1)."""

import numpy as np
from jaxtyping import Float

from mk11.selection.strategies.base import Candidates, Choice, Labelled, Strategy, picked
from mk11.selection.thresholds import Measured

ROWS = 1024  # candidates that are compared with all that is known at a time


class KCentre(Strategy):
    """Greedy k-centre: each pick is the candidate farthest from the labelled crops and earlier picks.

    scikit-activeml's CoreSet picks the same, but keeps a row of utilities for each pick: 2 GB for 5,000 of
    50,000 crops.
    """

    name = "k_centre"

    def choose(
        self, candidates: Candidates, labelled: Labelled, measured: Measured, *, budget: int | None, seed: int
    ) -> Choice:
        """Farthest first."""
        assert budget is not None
        return picked(farthest_first(candidates.features, labelled.features, budget), len(measured.distance))


def farthest_first(
    candidates: Float[np.ndarray, "candidates dim"], known: Float[np.ndarray, "images dim"], budget: int
) -> list[int]:
    """Rows of candidates in the order of picking; of equally far ones the first.

    Distances are |x|^2 - 2 x c + |c|^2, about the mean of what is known: features have a large part in
    common, whose squares would drown the differences.
    """
    middle = known.mean(axis=0)
    points, centres = candidates - middle, known - middle
    squares = np.einsum("ij,ij->i", points, points)
    around = np.einsum("ij,ij->i", centres, centres)
    gap = np.empty(len(points), points.dtype)  # squared, to the nearest centre
    for row in range(0, len(points), ROWS):
        gap[row : row + ROWS] = (around - 2 * points[row : row + ROWS] @ centres.T).min(axis=1)
    gap += squares
    chosen: list[int] = []
    for _ in range(min(budget, len(points))):
        row = int(gap.argmax())
        chosen.append(row)
        gap = np.minimum(gap, squares - 2 * points @ points[row] + squares[row])
        gap[chosen] = -np.inf
    return chosen
