"""Where cells are marked: those that the filter missed and why, and kept regions that are no marked cell."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from mk11.selection.gallery.content import BOX, GalleryContent
from mk11.selection.gallery.words import SELECTED
from mk11.selection.regions import KEPT
from mk11.selection.scoring.scores import Matched, rows_of

STRIPS = 3  # as many of each sort are shown as fill so many strips of crops
COVERED = 0.5  # of a cell's box: a region that covers so much of it has taken the cell in
NO_REGION = "no region here"
NEIGHBOUR = "its region counts for a neighbour"
ELSEWHERE = "lies in a region centred elsewhere"
SECOND = "second region of a marked cell"
NONE = -1  # no region to blame

Regions = Float[np.ndarray, "regions 4"]
Cells = Float[np.ndarray, "cells 4"]


class Mistakes(NamedTuple):
    """Of one sort: those that are shown, and how many there are.

    `shown`: field, box, title, why, region (index in `regions` of the dropped region to blame; -1 = none).
    """

    title: str
    turns: str  # by which they were drawn
    shown: pd.DataFrame
    total: int


def drawn_mistakes(content: GalleryContent) -> list[Mistakes]:
    """A seeded sample of missed cells, and one of false regions; none where no cell is marked.

    Kinds of cells take turns, so that what is rare is seen; so do false regions that were selected, which
    do harm, and those that were not.
    """
    if content.truth is None:
        return []
    cells, false = missed_cells(content.truth), false_regions(content, content.truth)
    count, seed = STRIPS * content.limits.crops_a_strip, content.limits.seed
    missed = cells.iloc[in_turns(cells["kind"], count=count, seed=seed)]
    missed = missed.assign(title=missed["kind"]).join(reasons_of(missed, content.regions))
    wrong = false.iloc[in_turns(~false["admitted"], count=count, seed=seed)]
    fates = [SELECTED if admitted else f"not {SELECTED}" for admitted in wrong["admitted"]]
    wrong = wrong.assign(title=fates, why=why_false(wrong, content.truth.cells), region=NONE)
    return [
        Mistakes("Missed cells", "kinds in turn", missed, len(cells)),
        Mistakes("False regions", "selected and others in turn", wrong, len(false)),
    ]


def missed_cells(truth: Matched) -> pd.DataFrame:
    """Marked cells without a region."""
    return truth.cells[~truth.cells["found"].astype(bool)]


def false_regions(content: GalleryContent, truth: Matched) -> pd.DataFrame:
    """Candidates that are no marked cell, in fields where any is marked."""
    regions = truth.regions
    return content.candidates.loc[regions.loc[~regions["true"].astype(bool), "row"]]


def in_turns(groups: pd.Series, *, count: int, seed: int) -> list[int]:
    """Places of `count` rows drawn at random, one of each group in turn; group by group."""
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    mixed = groups.iloc[shuffled]
    turn = mixed.groupby(mixed).cumcount().to_numpy()
    chosen = shuffled[np.argsort(turn, kind="stable")[:count]]
    by_group = groups.iloc[chosen].to_numpy().argsort(kind="stable")
    return [int(place) for place in chosen[by_group]]


def reasons_of(cells: pd.DataFrame, regions: pd.DataFrame) -> pd.DataFrame:
    """Why each missed cell was missed (`why`), and the dropped `region` to blame, by the cells' index.

    Of the regions that are centred in the cell's box or cover half of it, that which shares most with it.
    """
    told = pd.DataFrame({"why": NO_REGION, "region": NONE}, index=cells.index)
    nearby = regions[regions["field"].isin(cells["field"])]
    of_regions = rows_of(nearby)
    for field, rows in rows_of(cells).items():
        found = nearby.iloc[of_regions.get(field, [])]
        if len(found):
            blamed = _blamed(cells.iloc[rows], found)
            told.loc[cells.index[rows], "why"] = [words for words, _ in blamed]
            told.loc[cells.index[rows], "region"] = [region for _, region in blamed]
    return told


def why_false(regions: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    """Whether each false region is part of a marked cell, and why it was not selected."""
    marks = {field: cells.iloc[rows][BOX].to_numpy(float) for field, rows in rows_of(cells).items()}
    none = np.zeros((0, 4))  # fields in which cells of other kinds alone are marked
    inside = [
        bool(_centred_in(np.array([box], dtype=float), marks.get(field, none)).any())
        for field, *box in regions[["field", *BOX]].itertuples(index=False, name=None)
    ]
    told = zip(inside, regions["reason"], strict=True)
    return ["; ".join(filter(None, [SECOND if within else "", reason])) for within, reason in told]


def _blamed(cells: pd.DataFrame, regions: pd.DataFrame) -> list[tuple[str, int]]:
    """Of one field: words and region for each cell."""
    marks, boxes = cells[BOX].to_numpy(float), regions[BOX].to_numpy(float)
    shared, within = _shared(boxes, marks), _centred_in(boxes, marks)
    sizes = np.prod(marks[:, 2:] - marks[:, :2], axis=1)
    likely = np.where(within | (shared >= COVERED * sizes), shared, -1.0)  # (regions, cells)
    best = likely.argmax(axis=0)
    return [
        _told(regions, row, centred=bool(within[row, cell])) if likely[row, cell] >= 0 else (NO_REGION, NONE)
        for cell, row in enumerate(best.tolist())
    ]


def _told(regions: pd.DataFrame, row: int, *, centred: bool) -> tuple[str, int]:
    reason = str(regions["reason"].iloc[row])
    if reason != KEPT:
        return f"dropped: {reason}", int(regions.index[row])
    return (NEIGHBOUR if centred else ELSEWHERE), NONE


def _shared(regions: Regions, cells: Cells) -> Float[np.ndarray, "regions cells"]:
    """Area that each region's box shares with each cell's."""
    low = np.maximum(regions[:, None, :2], cells[None, :, :2])
    high = np.minimum(regions[:, None, 2:], cells[None, :, 2:])
    return np.prod(np.clip(high - low, 0, None), axis=2)


def _centred_in(regions: Regions, cells: Cells) -> Bool[np.ndarray, "regions cells"]:
    """Whether a region's box has its centre in a cell's: what `scoring.matching` asks of a match."""
    centres = (regions[:, None, :2] + regions[:, None, 2:]) / 2
    return ((centres >= cells[None, :, :2]) & (centres <= cells[None, :, 2:])).all(axis=2)
