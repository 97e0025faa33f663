"""Where a person looked again and the marks were wrong, read beside them.

A CSV: data (which set), field, x0, y0, x1, y1 (px), verdict, note. Verdicts:
`missed`: the marks lack this cell. `false_box`: this mark is no such cell. `unsure`: neither; regions whose
centre lies in it, and marks equal to it, count for nothing.
"""

from pathlib import Path

import pandas as pd

from mk11.errors import UserError

COLUMNS = ["data", "field", "x0", "y0", "x1", "y1", "verdict", "note"]
MISSED, FALSE_BOX, UNSURE = "missed", "false_box", "unsure"
BOX = ["field", "x0", "y0", "x1", "y1"]


def read_corrections(path: Path, *, data: str) -> pd.DataFrame:
    """Corrections of one data set.

    Raises:
        UserError: A column is missing, or a verdict is none of the three.
    """
    table = pd.read_csv(path, dtype={"field": str, "note": str})
    if missing := [name for name in COLUMNS if name not in table]:
        raise UserError(f"{path} must have the columns {', '.join(COLUMNS)}, but lacks {', '.join(missing)}")
    if unknown := sorted(set(table["verdict"]) - {MISSED, FALSE_BOX, UNSURE}):
        raise UserError(f"verdicts of {path} must be missed, false_box or unsure, but one is {unknown[0]}")
    return table[table["data"] == data].reset_index(drop=True)


def corrected(truth: pd.DataFrame, corrections: pd.DataFrame, *, kind: str) -> pd.DataFrame:
    """The truth without false and unsure boxes, and with the missed cells as cells of `kind`.

    Raises:
        UserError: A false box is not among the marks: the list is of another version of the data.
    """
    gone = corrections[corrections["verdict"] != MISSED]
    marks = pd.MultiIndex.from_frame(truth[BOX])
    listed = pd.MultiIndex.from_frame(gone[BOX])
    absent = ~listed.isin(marks) & (gone["verdict"] == FALSE_BOX).to_numpy()
    if absent.any():
        raise UserError(f"corrected boxes must be among the marks, but {tuple(listed[absent][0])} is not")
    added = corrections.loc[corrections["verdict"] == MISSED, BOX].assign(kind=kind)
    return pd.concat([truth[~marks.isin(listed)], added], ignore_index=True)


def without_unsure(regions: pd.DataFrame, corrections: pd.DataFrame) -> pd.DataFrame:
    """Regions less those whose centre lies in an unsure box."""
    kept = pd.Series(True, index=regions.index)
    across = (regions["x0"] + regions["x1"]) / 2
    down = (regions["y0"] + regions["y1"]) / 2
    for box in corrections[corrections["verdict"] == UNSURE].to_dict("records"):
        within = across.between(box["x0"], box["x1"]) & down.between(box["y0"], box["y1"])
        kept &= ~(within & (regions["field"] == box["field"]))
    return regions[kept].reset_index(drop=True)
