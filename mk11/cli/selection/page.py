"""The gallery of a finished selection."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from sklearn.decomposition import PCA

from mk11.cli.selection.job import SelectJob
from mk11.data.images import read_rgb
from mk11.runs.marks import data_marks
from mk11.selection.field_crops import FieldCrops
from mk11.selection.field_regions import Found
from mk11.selection.gallery import GalleryContent, write_gallery
from mk11.selection.scoring.scores import Matched


def write_page(
    job: SelectJob,
    found: Found,
    candidates: pd.DataFrame,
    features: Float[np.ndarray, "eligible dim"],
    summary: Mapping[str, Any],
    matched: Matched | None,
) -> None:
    """Write ``gallery.html`` into the run folder.

    Args:
        job: The selection.
        found: Regions of all fields.
        candidates: As `results.candidate_table` makes it.
        features: Of the candidates with a prototype, in their order.
        summary: What ``summary.json`` holds.
        matched: Kept regions beside marked cells; None where none are known.
    """
    told = summary["transductive"]
    marks = [*data_marks(job.marks), *([f"transductive: {told}"] if told else [])]
    paths = dict(zip(job.fields.table["id"], job.fields.table["path"], strict=True))
    content = GalleryContent(
        title=f"{job.cfg.name}: {job.row}, fold {job.cfg.fold}, seed {job.cfg.seed}",
        facts=[*_facts(job), ("Fields without a kept region", f"{summary['empty_fields']:,}")],
        steps=list(summary["steps"].items()),
        marks=marks,
        fields=job.fields.table[["id", "group", "um_per_pixel"]],
        regions=found.regions,
        candidates=candidates,
        prototypes=pd.DataFrame(summary["purity"]["prototypes"]),
        truth=None if matched is None else by_id(matched, job.fields.table["id"]),
        positions=positions(candidates, features, seed=job.cfg.seed),
        crop=FieldCrops(candidates, job.fields.table, job.shape).one,
        field=lambda name: read_rgb(Path(paths[name])),
        limits=job.gallery,
        identify=job.cfg.identify,
    )
    write_gallery(job.folder.path / "gallery.html", content)


def positions(
    candidates: pd.DataFrame, features: Float[np.ndarray, "eligible dim"], *, seed: int
) -> Float[np.ndarray, "candidates 2"] | None:
    """The first two principal components of the features; NaN where there are no features."""
    if min(features.shape) < 2:
        return None
    places = np.full((len(candidates), 2), np.nan)
    places[candidates["prototype"] >= 0] = PCA(2, random_state=seed).fit_transform(features)
    return places


def by_id(matched: Matched, ids: pd.Series) -> Matched:
    """The same, with the ids of fields for the bare names that marks know them by."""
    known = {Path(name).stem: name for name in ids}
    return Matched(*(table.assign(field=table["field"].map(known)) for table in matched))


def _facts(job: SelectJob) -> list[tuple[str, str]]:
    cfg = job.cfg
    return [
        ("Fields", f"{job.field_data.name}, {len(job.fields.table):,}"),
        ("Labelled crops", f"{job.data.name}, fold {cfg.fold}, training split"),
        ("Filter", str(job.choices["filter"])),
        ("Encoder", job.encoder.name),
        ("Strategy", job.row + ("" if cfg.budget is None else f", budget {cfg.budget:,}")),
    ]
