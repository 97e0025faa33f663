"""TypiClust: typical crops of what is not covered yet (Hacohen, Dekel and Weinshall 2022, sec. 3.2)."""

from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans, MiniBatchKMeans

from mk11.data.settings import Given, check_whole
from mk11.selection.prototypes import count_different
from mk11.selection.strategies.base import Candidates, Choice, Labelled, Strategy, picked
from mk11.selection.thresholds import Measured

EXACT = 50  # clusters up to which the authors' code runs whole K-means
BATCH = 5000  # of mini-batch K-means above that, as theirs; one start, as starts take most of the time


class TypiClust(Strategy):
    """Cluster known and candidate crops together, then take the most typical ones of clusters in turn.

    Clusters with the fewest labelled crops come first, of those the largest. As the authors' code does and
    scikit-activeml's TypiClust does not: at most `max_clusters` clusters (with thousands of labelled crops
    theirs would be thousands), several picks from one cluster, none from clusters of `smallest` and fewer.

    Args:
        max_clusters: there are as many clusters as labelled crops and budget together, up to this.
        neighbours: whose mean distance tells how typical a crop is.
        smallest: clusters up to this size are noise.
        rest: prototypes and thresholds.

    Raises:
        UserError: a value that its key cannot hold; instantiate() wraps it.
    """

    name = "typiclust"

    def __init__(self, *, max_clusters: Given, neighbours: Given, smallest: Given, **rest: Given) -> None:
        check_whole("selection.max_clusters", max_clusters, least=1)
        check_whole("selection.neighbours", neighbours, least=1)
        check_whole("selection.smallest", smallest, least=0)
        super().__init__(**rest)
        self.max_clusters, self.neighbours, self.smallest = max_clusters, neighbours, smallest

    def choose(
        self, candidates: Candidates, labelled: Labelled, measured: Measured, *, budget: int | None, seed: int
    ) -> Choice:
        """The most typical of each cluster in turn, then the next of each."""
        assert budget is not None
        count = len(candidates.features)
        together = np.concatenate([candidates.features, labelled.features])
        clusters = self._clusters(together, len(labelled.features) + budget, seed)
        new = np.arange(len(together)) < count
        table = cluster_order(clusters, new)
        large = table["size"] > self.smallest
        turns = (
            in_turn([self._typical(together, np.flatnonzero((clusters == one) & new)) for one in group])
            for group in (table.index[large], table.index[~large])  # noise only where nothing else is left
        )
        return picked(list(islice(chain.from_iterable(turns), budget)), count)

    def _typical(
        self, features: Float[np.ndarray, "images dim"], rows: Int[np.ndarray, " members"]
    ) -> Iterator[int]:
        return (int(rows[place]) for place in typical_first(features[rows], neighbours=self.neighbours))

    def _clusters(
        self, features: Float[np.ndarray, "images dim"], wanted: int, seed: int
    ) -> Int[np.ndarray, " images"]:
        count = min(wanted, self.max_clusters, count_different(features))
        if count <= EXACT:
            found = KMeans(count, n_init=1, random_state=seed)
        else:
            found = MiniBatchKMeans(count, n_init=1, batch_size=BATCH, random_state=seed)
        return found.fit_predict(features).astype(np.int64)


def cluster_order(clusters: Int[np.ndarray, " images"], new: Bool[np.ndarray, " images"]) -> pd.DataFrame:
    """Sizes of clusters: those with the fewest labelled crops first, of these the largest."""
    table = pd.DataFrame({"cluster": clusters, "known": ~new, "size": 1}).groupby("cluster").sum()
    return table.sort_values(["known", "size"], ascending=[True, False], kind="stable")


def typical_first(features: Float[np.ndarray, "members dim"], *, neighbours: int) -> Iterator[int]:
    """Rows by typicality, 1 / mean distance to the nearest of those left; computed anew after each."""
    left = np.arange(len(features))
    apart = cdist(features, features)
    np.fill_diagonal(apart, np.inf)
    while len(left) > 1:
        count = max(1, min(neighbours, len(left) // 2))  # of a small cluster its nearer half
        nearest = np.partition(apart[np.ix_(left, left)], count - 1, axis=1)[:, :count]
        place = int(nearest.mean(axis=1).argmin())
        yield int(left[place])
        left = np.delete(left, place)
    yield from left.tolist()


def in_turn(sources: list[Iterator[int]]) -> Iterator[int]:
    """One of each source, then one of each again, until all are used up."""
    while sources:
        going = []
        for source in sources:
            found = next(source, None)
            if found is not None:
                yield found
                going.append(source)
        sources = going
