"""Mistakes of the filter as they are shown: a box with what lies about it, regions and cells outlined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from mk11.selection.gallery.content import BOX, GalleryContent
from mk11.selection.gallery.mistakes import Mistakes, false_regions
from mk11.selection.gallery.names import Names
from mk11.selection.gallery.pictures import BAR_UM, Cutout, Shot, View
from mk11.selection.gallery.words import DROPPED, MARKED, MISSED, SELECTED, UNSELECTED, several


class Box(NamedTuple):
    """A box in a picture: `style` places it in per cent; `subject`: the picture is of it."""

    state: str
    style: str
    subject: bool


@dataclass(frozen=True)
class Sight:
    """One mistake."""

    shot: Shot
    bar: float | None
    boxes: list[Box]
    title: str
    why: str
    field: str


@dataclass(frozen=True)
class Sort:
    """Mistakes of one sort."""

    title: str
    hint: str
    sights: list[Sight]


def views_of(content: GalleryContent, mistakes: Sequence[Mistakes]) -> list[dict[int, View]]:
    """What must be fetched of each sort, by its rows."""
    return [{row: _view(content, box) for row, box in _places(sort.shown).items()} for sort in mistakes]


def sorts_of(
    content: GalleryContent,
    mistakes: Sequence[Mistakes],
    *,
    views: Sequence[Mapping[int, View]],
    pictures: Mapping[View, Cutout],
    names: Names,
) -> list[Sort]:
    """Each sort with its pictures."""
    return [
        Sort(
            sort.title,
            _hint(sort),
            [
                Sight(
                    shot=pictures[of[row]].shot,
                    bar=pictures[of[row]].shot.bar(BAR_UM),
                    boxes=_boxes(content, place, pictures[of[row]], blamed=blamed),
                    title=title,
                    why=names.sentence(why),
                    field=names.field(place.field),
                )
                for (row, place), (title, why, blamed) in zip(
                    _places(sort.shown).items(),
                    sort.shown[["title", "why", "region"]].itertuples(index=False, name=None),
                    strict=True,
                )
            ],
        )
        for sort, of in zip(mistakes, views, strict=True)
    ]


def told_mistakes(content: GalleryContent) -> str:
    """The totals in words; "" where no cell is marked."""
    if content.truth is None:
        return ""
    cells, regions = content.truth
    missed, false = int((~cells["found"].astype(bool)).sum()), false_regions(content, content.truth)
    chosen = int(false["admitted"].sum())
    return (
        f"Of {several(len(cells), 'cell')} marked in {several(cells['field'].nunique(), 'field')} the filter"
        f" missed {missed:,}. Of {several(len(regions), 'region')} that it kept there {len(false):,}"
        f" {'is' if len(false) == 1 else 'are'} no marked cell, {chosen:,} of them selected."
    )


def _hint(sort: Mistakes) -> str:
    shown, total = len(sort.shown), sort.total
    if not total:
        return "none"
    return f"all {total:,}" if shown == total else f"{shown:,} of {total:,}, drawn by seed, {sort.turns}"


def _places(rows: pd.DataFrame) -> dict[int, View]:
    """The boxes themselves."""
    return {
        int(row): View(str(field), *map(int, box))
        for row, field, *box in rows[["field", *BOX]].itertuples(name=None)
    }


def _view(content: GalleryContent, place: View) -> View:
    """With the marked cells that a box touches: a false region is often a part of one."""
    _, x0, y0, x1, y1 = place
    assert content.truth is not None
    cells = content.truth.cells[content.truth.cells["field"] == place.field]
    apart = (cells["x0"] >= x1) | (cells["y0"] >= y1) | (cells["x1"] <= x0) | (cells["y1"] <= y0)
    near = [place[1:], *cells.loc[~apart, BOX].itertuples(index=False, name=None)]
    low, high = np.min(near, axis=0), np.max(near, axis=0)
    return View(place.field, int(low[0]), int(low[1]), int(high[2]), int(high[3]))


def _boxes(content: GalleryContent, place: View, cut: Cutout, *, blamed: int) -> list[Box]:
    """What touches the picture: marked cells, kept regions, and the dropped region that is to blame."""
    assert content.truth is not None
    cells, candidates = content.truth.cells, content.candidates
    cells, candidates = cells[cells["field"] == place.field], candidates[candidates["field"] == place.field]
    layers = [
        candidates.assign(state=np.where(candidates["admitted"], SELECTED, UNSELECTED)),
        content.regions.loc[content.regions.index == blamed].assign(state=DROPPED),
        cells.assign(state=np.where(cells["found"], MARKED, MISSED)),
    ]
    rows = pd.concat([layer[["state", *BOX]] for layer in layers if len(layer)])
    subject = (rows[BOX] == list(place[1:])).all(axis=1)
    rows[BOX] -= [cut.x0, cut.y0, cut.x0, cut.y0]
    within = (rows["x0"] < cut.shot.width) & (rows["y0"] < cut.shot.height)
    within &= (rows["x1"] > 0) & (rows["y1"] > 0)
    return [
        Box(state, cut.shot.place(*box), of)
        for of, (state, *box) in zip(
            subject[within], rows[within].itertuples(index=False, name=None), strict=True
        )
    ]
