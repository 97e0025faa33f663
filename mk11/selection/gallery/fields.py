"""Fields with their regions outlined, and what became of each region."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mk11.selection.gallery.content import BOX, GalleryContent
from mk11.selection.gallery.names import Names
from mk11.selection.gallery.pictures import FIELD_BAR_UM, Shot
from mk11.selection.gallery.words import DROPPED, SELECTED, STATES, UNSELECTED, number, of_prototype, several
from mk11.selection.regions import KEPT

TOP = 4  # per cent of the picture, that a number above a box takes at most
NOT_OFFERED = "not offered to the selection"
TOLD = ["prototype", "distance", "threshold", "rank", "admitted", "reason", "kind"]


@dataclass(frozen=True)
class Outline:
    """A region of a field: `style` places its box in per cent of the picture."""

    number: int
    state: str
    style: str
    side: str  # where its words have room: CSS classes
    edge: str  # "top" where its number has no room above it
    words: str
    size: str
    kind: str


@dataclass(frozen=True)
class FieldView:
    """A field as it is shown."""

    name: str
    group: str
    what: str  # kind of field, by the furthest that any region came
    picture: Shot
    bar: float | None
    outlines: list[Outline]
    counts: str
    left_out: str


def field_views(
    content: GalleryContent, *, kinds: pd.Series, pictures: Mapping[str, Shot], names: Names
) -> list[FieldView]:
    """The chosen fields in their order."""
    regions = _told(content, set(kinds.index), names)
    groups = dict(zip(content.fields["id"], content.fields["group"], strict=True))
    chosen = {str(field): str(what) for field, what in kinds.items()}
    return [
        _view(
            regions[regions["field"] == field],
            shot=pictures[field],
            dropped=content.limits.dropped_a_field,
            about={"name": names.field(field), "group": names.group(groups[field]), "what": what},
        )
        for field, what in chosen.items()
    ]


def _told(content: GalleryContent, fields: set[str], names: Names) -> pd.DataFrame:
    """Regions of some fields, each with its state and what the selection said of it."""
    regions = content.regions[content.regions["field"].isin(fields)]
    key = ["field", *BOX]
    said = content.candidates.loc[content.candidates["field"].isin(fields), [*key, *TOLD]]
    said = said.rename(columns={"reason": "why"}).drop_duplicates(key)
    table = regions.merge(said, on=key, how="left")
    table["dropped_for"] = table["reason"].map(names.sentence)
    table["why"] = table["why"].map(names.sentence, na_action="ignore")
    table["state"] = UNSELECTED
    table.loc[table["admitted"].eq(True), "state"] = SELECTED
    table.loc[table["reason"] != KEPT, "state"] = DROPPED
    return table


def _view(regions: pd.DataFrame, *, shot: Shot, dropped: int, about: dict[str, str]) -> FieldView:
    """One field; of its dropped regions the largest alone, however many specks there are."""
    counts = regions["state"].value_counts()
    gone = regions[regions["state"] == DROPPED].sort_values("area", ascending=False, kind="stable")
    shown = regions.drop(gone.index[dropped:]).sort_values(["y0", "x0"], kind="stable")
    rows = enumerate(shown.to_dict("records"), start=1)
    told = [f"{counts[state]:,} {words}" for state, words in STATES.items() if state in counts]
    hidden = max(0, len(gone) - dropped)
    return FieldView(
        **about,
        picture=shot,
        bar=shot.bar(FIELD_BAR_UM),
        outlines=[_outline(place, row, shot) for place, row in rows],
        counts=", ".join(told) or "no region found",
        left_out=f"{several(hidden, 'smaller dropped region')} not outlined" if hidden else "",
    )


def _outline(place: int, row: Mapping[Hashable, Any], shot: Shot) -> Outline:
    left, top = 100 * row["x0"] / shot.width, 100 * row["y0"] / shot.height
    wide, high = 100 * (row["x1"] - row["x0"]) / shot.width, 100 * (row["y1"] - row["y0"]) / shot.height
    return Outline(
        number=place,
        state=row["state"],
        style=f"left:{left:.2f}%;top:{top:.2f}%;width:{wide:.2f}%;height:{high:.2f}%;"
        f"z-index:{_layer(wide * high)}",
        side=f"{'leftwards' if left + wide / 2 > 50 else 'rightwards'} {'up' if top + high > 60 else 'down'}",
        edge="top" if top < TOP else "",
        words=_words(row),
        size=_size(row["x1"] - row["x0"], row["y1"] - row["y0"], shot.um_per_pixel),
        kind=row["kind"] if isinstance(row["kind"], str) else "",
    )


def _layer(area: float) -> int:
    """Small boxes lie on top of large ones: each can be reached. `area` in hundredths of a per cent."""
    return max(1, 1000 - round(area / 10))


def _words(row: Mapping[Hashable, Any]) -> str:
    """What became of a region, and why."""
    if row["state"] == DROPPED:
        return f"dropped: {row['dropped_for']}"
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
