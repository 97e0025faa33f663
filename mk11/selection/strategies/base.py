"""What every selection strategy shares: order, prototypes, and the table that comes out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from threadpoolctl import threadpool_limits

from mk11.data.settings import check_whole
from mk11.errors import UserError
from mk11.selection.prototypes import PrototypeRule, Prototypes
from mk11.selection.thresholds import Measured, ThresholdRule

ADMITTED = ""
BEYOND_THRESHOLD = "beyond the threshold"
BEYOND_BUDGET = "beyond the budget"
NO_RANK = -1


@dataclass(frozen=True)
class Candidates:
    """Crops without labels, in any order; each content hash once."""

    hashes: Sequence[str]
    features: Float[np.ndarray, "candidates dim"]
    probabilities: Float[np.ndarray, "candidates classes"] | None = None  # of a trained classifier


@dataclass(frozen=True)
class Labelled:
    """Labelled crops of the fold's training split, in any order; labels are positions in `classes`."""

    hashes: Sequence[str]
    features: Float[np.ndarray, "images dim"]
    labels: Int[np.ndarray, " images"]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """What a strategy says of its candidates, in their order.

    `rank`: 0 is the one most wanted; NO_RANK where a strategy does not say. `reason`: "" where admitted.
    """

    rank: Int[np.ndarray, " candidates"]
    reason: Sequence[str]


@dataclass(frozen=True)
class Selection:
    """`table`: a row for each candidate, in the order in which they came.

    Columns: row (its place), content_hash, prototype, distance (Euclidean, to it), threshold (of it), rank
    (0 = most wanted, -1 = not ranked), admitted, reason ("" where admitted). Prototypes are there for every
    strategy, as a common measure; only ActiveSSF chooses by them.
    `prototypes`: in the order of `labelled` as it came. `thresholds`: one for each.
    """

    table: pd.DataFrame
    prototypes: Prototypes
    thresholds: Float[np.ndarray, " prototypes"]


class Strategy(ABC):
    """One way to choose.

    The result depends on contents and the seed alone: candidates and labelled crops are sorted by content
    hash first, and arithmetic libraries keep to one thread, as sums over several differ in their last digits.

    Args:
        prototypes: How prototypes are made.
        thresholds: How near to them is near enough.
    """

    name: str  # of its file in conf/selection
    needs_budget = True
    needs_probabilities = False  # of a trained classifier

    def __init__(self, *, prototypes: PrototypeRule, thresholds: ThresholdRule) -> None:
        self.prototypes, self.thresholds = prototypes, thresholds

    def select(
        self, candidates: Candidates, labelled: Labelled, *, budget: int | None, seed: int
    ) -> pd.DataFrame:
        """`Selection.table`."""
        return self.selection(candidates, labelled, budget=budget, seed=seed).table

    def selection(
        self, candidates: Candidates, labelled: Labelled, *, budget: int | None, seed: int
    ) -> Selection:
        """Choose among candidates.

        Args:
            candidates: To choose from.
            labelled: What is known.
            budget: Crops to admit, or all where there are fewer; None: the strategy decides.
            seed: Of whatever is drawn.

        Raises:
            UserError: no budget where the strategy needs one, one where it takes none, or no probabilities.
        """
        self.check(budget)
        with threadpool_limits(1):
            return self._selection(candidates, labelled, budget, seed)

    def check(self, budget: int | None) -> None:
        """UserError for a budget that this strategy cannot work with."""
        if budget is None and self.needs_budget:
            raise UserError(f"budget must be a number of crops for selection={self.name}, but is null")
        if budget is not None:
            check_whole("budget", budget, least=1)

    @abstractmethod
    def choose(
        self, candidates: Candidates, labelled: Labelled, measured: Measured, *, budget: int | None, seed: int
    ) -> Choice:
        """Rank and admit; all is in the order of content hashes."""

    def _selection(
        self, candidates: Candidates, labelled: Labelled, budget: int | None, seed: int
    ) -> Selection:
        candidates, order = _sorted_candidates(candidates)
        labelled, labelled_order = _sorted_labelled(labelled)
        found = self.prototypes.fit(labelled.features, labelled.labels, labelled.classes, seed=seed)
        measured = self.thresholds.measure(candidates.features, found)
        choice = self.choose(candidates, labelled, measured, budget=budget, seed=seed)
        columns = {
            "row": order,
            "content_hash": np.asarray(candidates.hashes, dtype=object),
            **measured._asdict(),
            "rank": choice.rank,
            "admitted": np.array([reason == ADMITTED for reason in choice.reason], dtype=bool),
            "reason": np.asarray(choice.reason, dtype=object),
        }
        table = pd.DataFrame(columns).sort_values("row", ignore_index=True)
        return Selection(table, _unsorted(found, labelled_order), self.thresholds.of(found))


def by_score(
    score: Float[np.ndarray, " candidates"], *, budget: int | None, allowed: Bool[np.ndarray, " candidates"]
) -> Choice:
    """The `budget` allowed candidates with the smallest score; equal ones in the order of content hashes."""
    order = np.argsort(score, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    among = np.cumsum(allowed[order])[rank]  # how many allowed ones there are up to it
    late = np.zeros(len(order), bool) if budget is None else among > budget
    told = np.where(~allowed, BEYOND_THRESHOLD, np.where(late, BEYOND_BUDGET, ADMITTED))
    return Choice(rank, told.tolist())


def picked(rows: Sequence[int], count: int) -> Choice:
    """The candidates in `rows` of `count`, in the order in which they were picked; the rest has no rank."""
    rank = np.full(count, NO_RANK)
    rank[list(rows)] = np.arange(len(rows))
    return Choice(rank, np.where(rank == NO_RANK, BEYOND_BUDGET, ADMITTED).tolist())


def _sorted_candidates(candidates: Candidates) -> tuple[Candidates, Int[np.ndarray, " candidates"]]:
    hashes = np.asarray(candidates.hashes, dtype=object)
    assert len(set(candidates.hashes)) == len(hashes), "each content hash once"
    order = np.argsort(hashes, kind="stable")
    known = candidates.probabilities
    chosen = None if known is None else known[order]
    return Candidates(hashes[order].tolist(), candidates.features[order], chosen), order


def _sorted_labelled(labelled: Labelled) -> tuple[Labelled, Int[np.ndarray, " images"]]:
    """By content hash, then label: the same picture may be there twice, labelled otherwise."""
    order = np.lexsort((labelled.labels, np.asarray(labelled.hashes, dtype=str)))
    hashes = np.asarray(labelled.hashes, dtype=object)[order].tolist()
    return Labelled(hashes, labelled.features[order], labelled.labels[order], labelled.classes), order


def _unsorted(prototypes: Prototypes, order: Int[np.ndarray, " images"]) -> Prototypes:
    back = np.argsort(order)
    return replace(prototypes, members=prototypes.members[back], nearest=prototypes.nearest[back])
