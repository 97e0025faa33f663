"""Recall, precision and box overlap of regions in fields whose cells are marked, and recall of each kind."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mk11.selection.scoring.matching import match_by_centre

BOX = ["x0", "y0", "x1", "y1"]


class Matched(NamedTuple):
    """Marked cells and regions with what became of them.

    `cells`: the table of truth with `found` (bool) and `overlap` (NaN where missed).
    `regions`: the kept regions with `true` (bool) and `kind` of the cell found ("" = none).
    """

    cells: pd.DataFrame
    regions: pd.DataFrame


def match_fields(regions: pd.DataFrame, truth: pd.DataFrame, *, fields: Sequence[str]) -> Matched:
    """Match the regions of each field to its marked cells, by centres, one to one.

    Args:
        regions: Kept regions: field, x0, y0, x1, y1 and what else.
        truth: As `truth.read_truth` gives it.
        fields: What is scored: names of the fields looked at, also those without regions or cells.
    """
    cells = truth[truth["field"].isin(fields)].reset_index(drop=True).assign(found=False, overlap=np.nan)
    looked = regions[regions["field"].isin(fields)].reset_index(drop=True).assign(true=False, kind="")
    of_cells, of_regions = rows_of(cells), rows_of(looked)
    for field in sorted(set(of_cells) & set(of_regions)):
        rows, marks = of_regions[field], of_cells[field]
        for match in match_by_centre(_boxes(looked, rows), _boxes(cells, marks)):
            looked.loc[rows[match.region], ["true", "kind"]] = True, cells.loc[marks[match.cell], "kind"]
            cells.loc[marks[match.cell], ["found", "overlap"]] = True, match.overlap
    return Matched(cells, looked)


def rows_of(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Row numbers of each field."""
    fields = table["field"].to_numpy(str)
    return {str(field): np.flatnonzero(fields == field) for field in np.unique(fields)}


def scores(matched: Matched, *, fields: int) -> dict[str, Any]:
    """Figures of one filter on some fields; a share of nothing is None.

    recall: marked cells that were found. precision: kept regions that are marked cells. overlap: median
    intersection over union of the found cells' boxes. kinds: cells, found and recall of each kind.
    """
    cells, regions = matched
    kinds = {
        str(kind): {"cells": len(of), "found": int(of["found"].sum()), "recall": share(of["found"])}
        for kind, of in cells.groupby("kind")
    }
    return {
        "fields": fields,
        "cells": len(cells),
        "regions": len(regions),
        "recall": share(cells["found"]),
        "precision": share(regions["true"]),
        "overlap": float(cells["overlap"].median()) if cells["found"].any() else None,
        "kinds": kinds,
    }


def share(found: pd.Series) -> float | None:
    """Share of True; None of nothing."""
    return float(found.astype(float).mean()) if len(found) else None


def _boxes(table: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    return table.loc[rows, BOX].to_numpy(float)
