"""What a selection leaves in its run folder: tables, crops, counts and the gallery."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from mk11.cli.selection.job import SelectJob
from mk11.cli.selection.page import write_page
from mk11.cli.selection.truth import matched_fields, true_kinds
from mk11.data.pool import transductive
from mk11.files import replacing, write_json
from mk11.selection.field_crops import FieldCrops
from mk11.selection.field_regions import Found
from mk11.selection.manifest import write_crops
from mk11.selection.purity import purity_report
from mk11.selection.scoring.scores import scores
from mk11.selection.strategies.base import Labelled, Selection

DECIDED = ["prototype", "distance", "threshold", "rank", "admitted"]  # of `Selection.table`


class Chosen(NamedTuple):
    """A selection with what it was made from."""

    kept: pd.DataFrame  # RangeIndex, kept regions in the order of fields, as `Found.regions` has them
    screening: pd.Series  # why each may not be selected; "" = may
    eligible: np.ndarray  # rows of `kept` that may
    features: Float[np.ndarray, "eligible dim"]
    labelled: Labelled
    selection: Selection
    crops: FieldCrops  # of the eligible ones


def write_results(job: SelectJob, found: Found, chosen: Chosen, truth: pd.DataFrame | None) -> None:
    """Crops and manifest first, the summary last: it is what a finished selection is known by.

    Args:
        job: The selection.
        found: Regions of all fields.
        chosen: What was chosen of them.
        truth: Marked cells of the fields, where they are known.
    """
    matched, looked = (None, 0) if truth is None else matched_fields(job, found, truth)
    kinds = [""] * len(chosen.kept) if matched is None else true_kinds(matched, count=len(chosen.kept))
    candidates = candidate_table(chosen).assign(kind=kinds)
    told = transductive(candidates.loc[candidates["admitted"], "group"], job.data.held_out(job.cfg.fold))
    if told:
        job.folder.update({"transductive": told})
    _write_manifest(job, candidates, chosen)
    _write_table(job, "candidates.parquet", candidates)
    _write_table(job, "regions.parquet", found.regions)
    _write_table(job, "fields.parquet", _fields(job, found))
    of_eligible = None if matched is None else [kinds[row] for row in chosen.eligible]
    counts = steps(found, chosen)
    summary = {
        "steps": counts,
        "empty_fields": int((found.fields["kept"] == 0).sum()),  # without any kept region
        "unreadable": {**job.fields.skipped, **_unreadable(found)},
        "reasons": _reasons(found, candidates),
        "purity": purity_report(chosen.selection, chosen.labelled.labels, kinds=of_eligible),
        "score": None if matched is None else scores(matched, fields=looked),
        "transductive": told,
    }
    write_page(job, found, candidates, chosen.features, summary, matched)
    write_json(job.folder.path / "summary.json", summary)
    write_json(job.folder.metrics, {"final": {name: float(count) for name, count in counts.items()}})


def candidate_table(chosen: Chosen) -> pd.DataFrame:
    """A row for each kept region: what was found, and what was decided about it."""
    nothing = {"prototype": -1, "distance": np.nan, "threshold": np.nan, "rank": -1, "admitted": False}
    table = chosen.kept.drop(columns="reason").assign(**nothing, reason=chosen.screening)
    decided = chosen.selection.table
    for name in [*DECIDED, "reason"]:
        table.loc[chosen.eligible, name] = decided[name].to_numpy()
    return table.astype({"prototype": "int64", "rank": "int64", "admitted": bool})


def steps(found: Found, chosen: Chosen) -> dict[str, int]:
    """Counts in the paper's form: fields -> regions -> selected."""
    return {
        "fields": len(found.fields),
        "regions": len(found.regions),
        "kept": len(chosen.kept),
        "eligible": len(chosen.eligible),
        "selected": int(chosen.selection.table["admitted"].sum()),
    }


def _reasons(found: Found, candidates: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Regions that each rule of either stage left out."""
    dropped = found.regions.loc[found.regions["reason"] != "", "reason"]
    refused = candidates.loc[candidates["reason"] != "", "reason"]
    return {
        stage: {str(reason): int(count) for reason, count in reasons.value_counts().items()}
        for stage, reasons in (("filter", dropped), ("selection", refused))
    }


def _unreadable(found: Found) -> dict[str, str]:
    """Fields that became unreadable after they were listed."""
    lost = found.fields[found.fields["error"] != ""]
    return {str(name): str(why) for name, why in zip(lost["field_hash"], lost["error"], strict=True)}


def _fields(job: SelectJob, found: Found) -> pd.DataFrame:
    """Every field, with how many regions it had."""
    known = job.fields.table.drop(columns="path").rename(
        columns={"id": "field", "content_hash": "field_hash"}
    )
    return known.merge(found.fields, on="field_hash", how="left", validate="one_to_one")


def _write_manifest(job: SelectJob, candidates: pd.DataFrame, chosen: Chosen) -> None:
    """The selected crops, best first, as `pool.manifests` reads them."""
    rows = chosen.selection.table
    places = rows.loc[rows["admitted"]].sort_values(["rank", "content_hash"])["row"]
    eligible = chosen.crops.regions.iloc[places.to_numpy()]
    paths = write_crops(job.folder.path, eligible, chosen.crops.of, how=job.cfg.crops)
    table = candidates.iloc[chosen.eligible[places.to_numpy()]].drop(columns=["admitted", "reason"])
    table = table.rename(columns={"crop_hash": "content_hash"}).reset_index(drop=True)
    table.insert(0, "path", paths)
    if job.cfg.crops != "png":
        table = table.rename(columns={"path": "member"})  # no file of its own
    _write_table(job, job.manifest.name, table)


def _write_table(job: SelectJob, name: str, table: pd.DataFrame) -> None:
    with replacing(job.folder.path / name) as temporary:
        table.to_parquet(temporary, index=False)


def told_steps(summary: dict[str, Any]) -> str:
    """`60 fields -> 412 regions -> 300 kept -> ...`."""
    return " -> ".join(f"{count} {name}" for name, count in summary["steps"].items())
