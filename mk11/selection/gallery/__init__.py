"""The gallery of a selection: fields, prototypes and crops on one page for the eyes of a haematologist."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from mk11.page import make_environment, write_page
from mk11.selection.gallery import words
from mk11.selection.gallery.cloud import cloud, spot_rows
from mk11.selection.gallery.content import GalleryContent, GalleryLimits
from mk11.selection.gallery.fields import field_views
from mk11.selection.gallery.histogram import Histogram, histogram, span_of
from mk11.selection.gallery.mistakes import drawn_mistakes
from mk11.selection.gallery.names import Names
from mk11.selection.gallery.pictures import BAR_UM, FIELD_BAR_UM, load_pictures
from mk11.selection.gallery.sample import kinds_of_field, sample_fields
from mk11.selection.gallery.sights import sorts_of, told_mistakes, views_of
from mk11.selection.gallery.strips import Strip, crops_of, strips_of
from mk11.selection.gallery.tables import kinds_table, prototypes_table, reasons_table

__all__ = ["GalleryContent", "GalleryLimits", "write_gallery"]

TEMPLATES = Path(__file__).resolve().parent / "templates"
NONE = -1  # prototype of a candidate without one


@dataclass(frozen=True)
class Card:
    """One prototype, or all candidates without one."""

    number: int
    name: str
    subtype: str
    facts: list[tuple[str, str]]
    histogram: Histogram | None
    strips: list[Strip]


def write_gallery(path: Path, content: GalleryContent) -> None:
    """Write the page, whole or not at all."""
    groups = {*content.fields["group"].unique(), *content.candidates["group"].unique()}
    names = Names(identify=content.identify, fields=content.fields["id"], groups=groups)
    environment = make_environment(TEMPLATES)
    environment.globals.update(states=words.STATES, bar_um=BAR_UM, field_bar_um=FIELD_BAR_UM)
    write_page(path, "gallery.html", environment, **_told(content, names), **_shown(content, names))


def _told(content: GalleryContent, names: Names) -> dict[str, Any]:
    """What is said in words and tables."""
    return {
        "heading": names.sentence(content.title),
        "facts": [(name, names.sentence(value)) for name, value in content.facts],
        "steps": [(name, f"{count:,}") for name, count in content.steps],
        "marks": [names.sentence(mark) for mark in content.marks],
        "reasons": reasons_table(content, names),
        "prototypes": prototypes_table(content),
        "mistakes": told_mistakes(content),
        "true_kinds": kinds_table(content),
        "identify": content.identify,
        "version": version("mk11"),
    }


def _shown(content: GalleryContent, names: Names) -> dict[str, Any]:
    """What is shown in pictures, all fetched in one go."""
    kinds = sample_fields(kinds_of_field(content), count=content.limits.fields, seed=content.limits.seed)
    cards, spots, mistakes = _cards(content, names), spot_rows(content), drawn_mistakes(content)
    rows = {*spots, *(row for card in cards for strip in card.strips for row in strip.rows)}
    views = views_of(content, mistakes)
    seen = {view for of in views for view in of.values()}
    pictures = load_pictures(content, rows=rows, fields=set(kinds.index), views=seen)
    return {
        "fields": field_views(content, kinds=kinds, pictures=pictures.fields, names=names),
        "all_fields": len(content.fields),
        "sorts": sorts_of(content, mistakes, views=views, pictures=pictures.views, names=names),
        "cards": cards,
        "cloud": cloud(content, spots),
        "crops": crops_of(content, sorted(rows), pictures=pictures.crops, names=names),
    }


def _cards(content: GalleryContent, names: Names) -> list[Card]:
    """Prototypes by number, then the candidates without one."""
    span = span_of(
        content.candidates["distance"], content.prototypes.get("threshold", pd.Series(dtype=float))
    )
    known = {int(row["prototype"]): row for row in content.prototypes.to_dict("records")}
    numbers = sorted({*known, *content.candidates["prototype"].unique()} - {NONE})
    if (content.candidates["prototype"] == NONE).any():
        numbers.append(NONE)
    return [_card(int(number), known.get(number, {}), content, names, span) for number in numbers]


def _card(
    number: int,
    about: Mapping[Hashable, Any],
    content: GalleryContent,
    names: Names,
    span: tuple[float, float],
) -> Card:
    own = content.candidates[content.candidates["prototype"] == number]
    threshold = float(about.get("threshold", float("nan")))
    return Card(
        number=number,
        name=_name(number, alone=content.prototypes.empty),
        subtype=str(about.get("subtype", "")),
        facts=_facts(own, about),
        histogram=histogram(own, threshold=threshold, span=span) if own["distance"].notna().any() else None,
        strips=[
            strip._replace(reason=names.sentence(strip.reason))
            for strip in strips_of(own, count=content.limits.crops_a_strip)
        ],
    )


def _name(number: int, *, alone: bool) -> str:
    if number == NONE:
        return "All candidates" if alone else "Without a prototype"
    return f"Prototype {number}"


def _facts(candidates: pd.DataFrame, about: Mapping[Hashable, Any]) -> list[tuple[str, str]]:
    admitted = int(candidates["admitted"].sum())
    told_share = f"({words.share(admitted, len(candidates))})" if len(candidates) else ""
    told = [
        ("Labelled", f"{int(about['size']):,}" if about else ""),
        ("Purity", words.percent(about["purity"]) if about else ""),
        ("Candidates", f"{len(candidates):,}"),
        ("Selected", f"{admitted:,} {told_share}".strip()),
    ]
    return [(name, value) for name, value in told if value]
