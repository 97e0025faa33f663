"""Published figures, as reference rows: other people's data, splits and protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("published.yaml")

METRICS = ("accuracy", "f1_weighted", "f1_macro", "pr_auc")

Figure = tuple[float, float]  # mean and standard deviation over folds, as fractions


@dataclass(frozen=True)
class PublishedRow:
    """One row of a paper's table."""

    source: str  # key of the source
    best_validation: bool  # of the best validation epoch of each metric, not of test images
    method: str
    figures: Mapping[str, Figure]  # metric -> figure
    per_class: Mapping[str, Figure]  # PR-AUC of each class; empty where the source has none
    corrected: tuple[str, ...]  # metrics that stand in another column than the source prints


@dataclass(frozen=True)
class Source:
    """Where published figures come from."""

    key: str
    title: str
    best_validation: bool
    notes: tuple[str, ...]
    rows: tuple[PublishedRow, ...]


@cache
def published_sources() -> tuple[Source, ...]:
    """The sources of `published.yaml`, in their order."""
    told = yaml.safe_load(FILE.read_text())["sources"]
    return tuple(_source(key, content) for key, content in told.items())


def class_order(classes: Sequence[str], named: Mapping[str, object]) -> dict[str, str] | None:
    """The name that a published table gives each of our classes; None unless all of them are in it.

    The MK-11 data set and the ActiveSSF paper name the same subtypes differently, and there are code letters.
    """
    others = yaml.safe_load(FILE.read_text())["names"]
    theirs = {alias: name for name, aliases in others.items() for alias in (name, *aliases)}
    found = {name: theirs[name] for name in classes if theirs.get(name) in named}
    return found if len(set(found.values())) == len(classes) else None


def _source(key: str, told: Mapping[str, Any]) -> Source:
    rows = tuple(_row(key, told, row) for row in told["rows"])
    notes = tuple(note.strip() for note in told["notes"])
    return Source(key, told["title"], told["best_validation"], notes, rows)


def _row(source: str, told: Mapping[str, Any], row: Mapping[str, Any]) -> PublishedRow:
    per_class = zip(told.get("classes", ()), row.get("per_class", ()), strict=True)
    return PublishedRow(
        source=source,
        best_validation=told["best_validation"],
        method=row["method"],
        figures={name: _figure(row[name]) for name in METRICS if name in row},
        per_class={name: _figure(value) for name, value in per_class},
        corrected=tuple(row.get("corrected", ())),
    )


def _figure(per_cent: Sequence[float]) -> Figure:
    mean, deviation = per_cent
    return round(mean / 100, 6), round(deviation / 100, 6)
