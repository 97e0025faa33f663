"""Fields with their regions outlined, and what became of each region."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mk11.selection.gallery.content import BOX, GalleryContent
from mk11.selection.gallery.mistakes import false_regions, missed_cells, reasons_of
from mk11.selection.gallery.names import Names
from mk11.selection.gallery.pictures import FIELD_BAR_UM, Shot
from mk11.selection.gallery.words import (
    DROPPED,
    MISSED,
    SELECTED,
    STATES,
    UNSELECTED,
    number,
    of_prototype,
    several,
)
from mk11.selection.regions import KEPT

TOP = 0.04  # of the picture, that a number above a box takes at most
NOT_OFFERED = "not offered to the selection"
TOLD = ["prototype", "distance", "threshold", "rank", "admitted", "reason"]


@dataclass(frozen=True)
class Outline:
    """A region of a field: `style` places its box in per cent of the picture."""

    number: int
    state: str
    style: str
    side: str  # where its words have room: CSS classes
    edge: str  # "top" where its number has no room above it
    words: str
    about: str  # its size, and what it truly is where that is known


@dataclass(frozen=True)
class FieldView:
    """A field as it is shown."""

    name: str
    group: str
    picture: Shot
    bar: float | None
    outlines: list[Outline]
    counts: str
    left_out: str
    listed: str


def field_views(
    content: GalleryContent, *, kinds: pd.Series, pictures: Mapping[str, Shot], names: Names
) -> list[FieldView]:
    """The chosen fields in their order."""
    regions = _told(content, set(kinds.index), names)
    groups = dict(zip(content.fields["id"], content.fields["group"], strict=True))
    return [
        _view(
            regions[regions["field"] == field],
            shot=pictures[field],
            dropped=content.limits.dropped_a_field,
            about={"name": names.field(field), "group": names.group(groups[field])},
        )
        for field in map(str, kinds.index)
    ]


def _told(content: GalleryContent, fields: set[str], names: Names) -> pd.DataFrame:
    """Regions and missed cells of some fields, each with its state and what the selection said of it."""
    regions = content.regions[content.regions["field"].isin(fields)]
    said = _said(content, fields)
    table = regions.merge(said, on=["field", *BOX], how="left")
    table["state"] = UNSELECTED
    table.loc[table["admitted"].eq(True), "state"] = SELECTED
    table.loc[table["reason"] != KEPT, "state"] = DROPPED
    table = pd.concat([table, _missed(content, fields)], ignore_index=True)
    for reason in ("reason", "why"):
        table[reason] = table[reason].map(names.sentence, na_action="ignore")
    return table


def _said(content: GalleryContent, fields: set[str]) -> pd.DataFrame:
    """What the selection said of candidates, and what they `truly` are, where cells are marked."""
    said = content.candidates[content.candidates["field"].isin(fields)]
    truly = said["kind"].map(lambda kind: f"truly {kind}" if kind else "")
    if content.truth is not None:
        truly = truly.mask(said.index.isin(false_regions(content, content.truth).index), "no marked cell")
    said = said[["field", *BOX, *TOLD]].assign(truly=truly)
    return said.rename(columns={"reason": "why"}).drop_duplicates(["field", *BOX])


def _missed(content: GalleryContent, fields: set[str]) -> pd.DataFrame:
    """Missed cells of some fields, as rows beside its regions."""
    if content.truth is None:
        return pd.DataFrame()
    cells = missed_cells(content.truth)
    cells = cells.loc[cells["field"].isin(fields), ["field", *BOX, "kind"]]
    told = cells.assign(state=MISSED, truly="truly " + cells["kind"])
    return told.join(reasons_of(cells, content.regions)["why"]).drop(columns="kind")


def _view(regions: pd.DataFrame, *, shot: Shot, dropped: int, about: dict[str, str]) -> FieldView:
    """One field; of its dropped regions the largest alone, however many specks there are."""
    counts = regions["state"].value_counts()
    gone = regions[regions["state"] == DROPPED].sort_values("area", ascending=False, kind="stable")
    shown = regions.drop(gone.index[dropped:]).sort_values(["y0", "x0"], kind="stable")
    rows = enumerate(shown.to_dict("records"), start=1)
    told = [f"{counts[state]:,} {words}" for state, words in STATES.items() if state in counts]
    hidden, missed = max(0, len(gone) - dropped), int(counts.get(MISSED, 0))
    return FieldView(
        **about,
        picture=shot,
        bar=shot.bar(FIELD_BAR_UM),
        outlines=[_outline(place, row, shot) for place, row in rows],
        counts=", ".join(told) or "no region found",
        left_out=f"{several(hidden, 'smaller dropped region')} not outlined" if hidden else "",
        listed=several(len(shown) - missed, "region")
        + (f", {several(missed, 'missed cell')}" if missed else ""),
    )


def _outline(place: int, row: Mapping[Hashable, Any], shot: Shot) -> Outline:
    x0, y0, x1, y1 = (row[edge] for edge in BOX)
    across, bottom, top = (x0 + x1) / 2 / shot.width, y1 / shot.height, y0 / shot.height
    size, truly = _size(x1 - x0, y1 - y0, shot.um_per_pixel), row["truly"]
    layer = _layer((x1 - x0) * (y1 - y0) / (shot.width * shot.height))
    return Outline(
        number=place,
        state=row["state"],
        style=f"{shot.place(x0, y0, x1, y1)};z-index:{layer}",
        side=f"{'leftwards' if across > 0.5 else 'rightwards'} {'up' if bottom > 0.6 else 'down'}",
        edge="top" if top < TOP else "",
        words=_words(row),
        about=", ".join([size, truly] if isinstance(truly, str) and truly else [size]),
    )


def _layer(area: float) -> int:
    """Small boxes lie on top of large ones: each can be reached. `area`: share of the picture."""
    return max(1, 1000 - round(1000 * area))


def _words(row: Mapping[Hashable, Any]) -> str:
    """What became of a region, and why."""
    if row["state"] == DROPPED:
        return f"dropped: {row['reason']}"
    if row["state"] == MISSED:
        return f"missed: {row['why']}"
    if not isinstance(row["why"], str):
        return f"kept, {NOT_OFFERED}"
    distance, threshold = number(row["distance"]), number(row["threshold"])
    parts = [of_prototype(int(row["prototype"]))] if row["prototype"] >= 0 else []
    parts += [f"distance {distance}" + (f" (threshold {threshold})" if threshold else "")] if distance else []
    if row["state"] == SELECTED:
        parts += [f"rank {int(row['rank'])}"] if row["rank"] >= 0 else []
        return ", ".join(["selected", *parts])
    return ", ".join([f"not selected: {row['why'] or 'no reason given'}", *parts])


def _size(wide: int, high: int, um_per_pixel: float) -> str:
    """Sides of a box in um, or in px where the scale is unknown."""
    if um_per_pixel > 0:
        return f"{wide * um_per_pixel:.0f} \N{MULTIPLICATION SIGN} {high * um_per_pixel:.0f} \N{MICRO SIGN}m"
    return f"{wide} \N{MULTIPLICATION SIGN} {high} px"
