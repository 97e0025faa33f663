"""What is truly in the fields, where it was marked: scores of the filter, and the kinds of regions."""

from pathlib import Path

import pandas as pd

from mk11.cli.selection.job import SelectJob
from mk11.errors import UserError
from mk11.selection.field_regions import Found
from mk11.selection.scoring.scores import Matched, match_fields
from mk11.selection.scoring.truth import read_truth


def marked_cells(job: SelectJob) -> pd.DataFrame | None:
    """Cells marked in the fields; None where none are known or asked for.

    Raises:
        UserError: `score=true` and none are known, none of them is in these fields, or fields share a name.
    """
    path, asked = job.field_data.truth, job.cfg.score
    if asked is False or (path is None and asked == "auto"):
        return None
    if path is None:
        raise UserError("fields.truth must name the marked cells for score=true, but is null")
    truth = read_truth(path, images=job.field_data.root, kinds=None)
    if not truth["field"].isin(_stems(job.fields.table["id"])).any():
        raise UserError(f"fields.truth must mark cells of the fields, but {path} names none of these")
    names = pd.Series(_stems(job.fields.table["id"]))
    if twice := sorted(set(names[names.duplicated()]) & set(truth["field"])):
        raise UserError(f"fields.truth must tell fields apart by name, but several are called {twice[0]}")
    return truth


def matched_fields(job: SelectJob, found: Found, truth: pd.DataFrame) -> tuple[Matched, int]:
    """Kept regions beside marked cells, and in how many fields: those in which anything is marked.

    Column `row` of the regions: their place among the kept ones.
    """
    kinds = job.field_data.truth_kinds
    cells = truth if kinds is None else truth[truth["kind"].isin(kinds)]
    kept = found.regions[found.regions["reason"] == ""].reset_index(drop=True)
    kept = kept.assign(row=range(len(kept)))
    looked = sorted(set(_stems(job.fields.table["id"])) & set(truth["field"]))
    return match_fields(kept.assign(field=_stems(kept["field"])), cells, fields=looked), len(looked)


def true_kinds(matched: Matched, *, count: int) -> list[str]:
    """Kind of the marked cell that each of `count` kept regions is; "" where it is none, or none is known."""
    kinds = [""] * count
    for row, kind in zip(matched.regions["row"], matched.regions["kind"], strict=True):
        kinds[row] = kind
    return kinds


def _stems(ids: pd.Series) -> list[str]:
    """Names of fields as those who mark them write them: without folder and suffix."""
    return [Path(name).stem for name in ids]
