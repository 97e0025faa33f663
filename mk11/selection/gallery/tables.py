"""Tables of the page: what was dropped and why, the prototypes, and kinds of cells where they are marked."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from mk11.page import Cell, Column, Table
from mk11.selection.gallery.content import GalleryContent
from mk11.selection.gallery.names import Names
from mk11.selection.gallery.words import number, percent, share
from mk11.selection.regions import KEPT


def reasons_table(content: GalleryContent, names: Names) -> Table:
    """Every reason with its count, the selected ones last."""
    regions, candidates = content.regions, content.candidates
    dropped = regions.loc[regions["reason"] != KEPT, "reason"].value_counts()
    rejected = candidates.loc[~candidates["admitted"], "reason"]
    refused = rejected.replace("", "no reason given").value_counts()
    rows = [
        *(("dropped by the filter", reason, count) for reason, count in dropped.items()),
        *(("not selected", reason, count) for reason, count in refused.items()),
        ("selected", "none: selected", int(candidates["admitted"].sum())),
    ]
    return Table(
        name="reasons",
        caption="Where each region ended. Shares are of all regions that the filter looked at.",
        columns=[
            Column("Reason"),
            Column("Ended"),
            Column("Regions", numeric=True),
            Column("Share", numeric=True),
        ],
        rows=[
            [Cell(names.sentence(str(reason))), Cell(ended), _count(count), _share(count, len(regions))]
            for ended, reason, count in rows
        ],
        wide=False,
    )


def prototypes_table(content: GalleryContent) -> Table | None:
    """Size, threshold and admissions of each prototype; None where there are no prototypes."""
    if content.prototypes.empty:
        return None
    return Table(
        name="prototypes",
        caption="Clusters are not classes: a small one may be a stain artefact. A name leads to its crops.",
        columns=[
            Column("Prototype"),
            Column("Mostly", "the subtype that most of its labelled crops have"),
            Column("Purity", "share of its labelled crops that have this subtype", numeric=True),
            Column("Labelled crops", "of the fold's training split", numeric=True),
            Column("Threshold", "largest distance at which a candidate is selected", numeric=True),
            Column("Candidates", "regions that are nearest to it", numeric=True),
            Column("Selected", numeric=True),
            Column("Share selected", "of its candidates", numeric=True),
        ],
        rows=[_prototype(row) for row in content.prototypes.to_dict("records")],
        rows_shown=None,
    )


def kinds_table(content: GalleryContent) -> Table | None:
    """Of each true kind how many were found, and how many of these selected; None where no cell is marked.

    The kind that the filter finds worst comes first.
    """
    if content.truth is None:
        return None
    cells, candidates = content.truth.cells, content.candidates
    kinds = cells.groupby("kind")["found"].agg(["size", "sum"]).astype(int)
    kinds["selected"] = candidates.groupby("kind")["admitted"].sum().reindex(kinds.index, fill_value=0)
    kinds["recall"] = kinds["sum"] / kinds["size"]
    kinds = kinds.sort_values("recall", kind="stable")[["size", "sum", "selected"]]
    return Table(
        name="kinds",
        caption="What the filter found of each kind of marked cell, and what was selected of that.",
        columns=[
            Column("True kind"),
            Column("Marked", "cells", numeric=True),
            Column("Found", "by the filter", numeric=True),
            Column("Recall", "share found of the marked", numeric=True),
            Column("Selected", "of the found", numeric=True),
        ],
        rows=[_kind(str(kind), *map(int, counts)) for kind, *counts in kinds.itertuples()],
    )


def _kind(kind: str, marked: int, found: int, selected: int) -> list[Cell]:
    return [Cell(kind), _count(marked), _count(found), _share(found, marked), _count(selected)]


def _prototype(row: Mapping[Hashable, Any]) -> list[Cell]:
    return [
        Cell(f"prototype {row['prototype']}", link=f"prototype-{row['prototype']}"),
        Cell(str(row["subtype"])),
        Cell(percent(row["purity"]), _order(row["purity"])),
        _count(row["size"]),
        Cell(number(row["threshold"]), _order(row["threshold"])),
        _count(row["candidates"]),
        _count(row["admitted"]),
        _share(row["admitted"], row["candidates"]),
    ]


def _count(value: float) -> Cell:
    return Cell(f"{int(value):,}", int(value))


def _share(part: float, whole: float) -> Cell:
    return Cell(share(part, whole), part / whole if whole else None)


def _order(value: float) -> float | None:
    return None if pd.isna(value) else float(value)
