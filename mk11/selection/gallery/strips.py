"""Which crops of a prototype are shown: the nearest, those about the threshold, the farthest rejected."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from mk11.selection.gallery.content import GalleryContent
from mk11.selection.gallery.names import Names
from mk11.selection.gallery.pictures import BAR_UM, Shot
from mk11.selection.gallery.words import SELECTED, UNSELECTED, number

NEAREST = ("Nearest", "the smallest distances within the threshold")
INSIDE = ("Just inside the threshold", "the last to be let in")
OUTSIDE = ("Just outside", "the first to be turned away")
FARTHEST = ("Farthest of those rejected", "the largest distances")
FIRST = ("First selected", "by rank")
LAST = ("Last selected", "by rank")
REJECTED = ("Not selected", "in no particular order")
TELLING = {NEAREST, OUTSIDE}  # even when empty


class Strip(NamedTuple):
    """Candidates in the order they are shown; `reason`: why none was selected, if it is the same for all."""

    title: str
    hint: str
    rows: list[int]
    reason: str


@dataclass(frozen=True)
class Crop:
    """A candidate as it is shown."""

    row: int
    shot: Shot
    bar: float | None
    state: str
    distance: str
    reason: str
    kind: str
    which: str


def strips_of(candidates: pd.DataFrame, *, count: int) -> list[Strip]:
    """Strips of one prototype's candidates, at most `count` each; none is in two of them."""
    measured = candidates[candidates["distance"].notna()].sort_values(["distance", "crop_hash"])
    others = candidates[candidates["distance"].isna()]
    told = {**(_by_distance(measured, count) if len(measured) else {}), **_by_rank(others, count)}
    return [
        Strip(*about, [int(row) for row in rows], _one_reason(candidates.loc[rows, "reason"]))
        for about, rows in told.items()
        if len(rows) or about in TELLING
    ]


def crops_of(
    content: GalleryContent, rows: Iterable[int], *, pictures: Mapping[int, Shot], names: Names
) -> dict[int, Crop]:
    """Candidates with their pictures, by row."""
    rows = list(rows)
    records = content.candidates.loc[rows].to_dict("records")
    return {
        row: Crop(
            row=row,
            shot=pictures[row],
            bar=pictures[row].bar(BAR_UM),
            state=SELECTED if found["admitted"] else UNSELECTED,
            distance=number(found["distance"]),
            reason="" if found["admitted"] else names.sentence(found["reason"] or "no reason given"),
            kind=found["kind"],
            which=f"crop {found['crop_hash'][:8]} of {names.field(found['field'])}",
        )
        for row, found in zip(rows, records, strict=True)
    }


def _by_distance(near_to_far: pd.DataFrame, count: int) -> dict[tuple[str, str], pd.Index]:
    # Without a threshold, whoever was let in counts as inside.
    inside = (near_to_far["distance"] <= near_to_far["threshold"]).where(
        near_to_far["threshold"].notna(), near_to_far["admitted"]
    )
    within, beyond = near_to_far.index[inside], near_to_far.index[~inside]
    rejected = beyond[count:][~near_to_far.loc[beyond[count:], "admitted"].astype(bool)]
    return {
        NEAREST: within[:count],
        INSIDE: _last(within[count:], count),
        OUTSIDE: beyond[:count],
        FARTHEST: _last(rejected, count)[::-1],
    }


def _by_rank(candidates: pd.DataFrame, count: int) -> dict[tuple[str, str], pd.Index]:
    """Of a strategy without distances, or of candidates that never got one."""
    selected = candidates[candidates["admitted"]].sort_values(["rank", "crop_hash"]).index
    # A content hash says nothing about the cell, so its order is as good as chance, and the same every time.
    rejected = candidates[~candidates["admitted"]].sort_values("crop_hash").index
    return {FIRST: selected[:count], LAST: _last(selected[count:], count), REJECTED: rejected[:count]}


def _last(rows: pd.Index, count: int) -> pd.Index:
    return rows[max(0, len(rows) - count) :]


def _one_reason(reasons: pd.Series) -> str:
    return str(reasons.iloc[0]) if len(reasons) > 1 and reasons.nunique() == 1 else ""
