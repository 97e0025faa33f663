"""Which fields are shown: a seeded sample in which failures appear as well as successes."""

import numpy as np
import pandas as pd

from mk11.selection.gallery.content import GalleryContent
from mk11.selection.regions import KEPT

# By the furthest that any of its regions came.
SELECTED, UNSELECTED, DROPPED, EMPTY = KINDS = (
    "with selected regions",
    "kept regions, none selected",
    "only dropped regions",
    "no region",
)
LEAST = 6  # one in so many fields, rounded down but at least one, is kept for each of the three other kinds


def kinds_of_field(content: GalleryContent) -> pd.Series:
    """Each field's kind, by its id, in the order of fields."""
    regions, candidates = content.regions, content.candidates
    kinds = pd.Series(EMPTY, index=pd.Index(content.fields["id"], name="field"), dtype=object)
    kinds[kinds.index.isin(regions["field"])] = DROPPED
    kinds[kinds.index.isin(regions.loc[regions["reason"] == KEPT, "field"])] = UNSELECTED
    kinds[kinds.index.isin(candidates.loc[candidates["admitted"], "field"])] = SELECTED
    return kinds


def sample_fields(kinds: pd.Series, *, count: int, seed: int) -> pd.Series:
    """At most `count` of the fields, a place for each kind first and the rest to those with selected regions.

    Returns:
        Kinds of the chosen fields by their ids: kind by kind, and in the order given within a kind.
    """
    generator = np.random.default_rng(seed)
    drawn = [generator.permutation(np.flatnonzero(kinds == kind)) for kind in KINDS]
    places = [0, *(min(len(rows), max(1, count // LEAST)) for rows in drawn[1:])]
    # Where there are fewer places than kinds, success comes first and the rest in their order.
    places[0] = min(len(drawn[0]), max(count - sum(places), min(count, 1)))
    chosen = [row for rows, many in zip(drawn, places, strict=True) for row in rows[:many]]
    left = [row for rows, many in zip(drawn, places, strict=True) for row in rows[many:]]
    rows = np.sort(np.array([*chosen, *left][:count], dtype=int))
    order = kinds.iloc[rows].map(KINDS.index).sort_values(kind="stable").index
    return kinds.loc[order]
