"""One selection: fields -> regions -> candidates -> selected."""

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from PIL import Image

from mk11.cli.record import recorded
from mk11.cli.selection.job import SelectJob
from mk11.cli.selection.results import Chosen, write_results
from mk11.cli.selection.summary import print_start, print_summary
from mk11.cli.selection.truth import marked_cells
from mk11.data.parallel import cores
from mk11.data.transforms.resize import require_scale
from mk11.errors import UserError
from mk11.files import replacing
from mk11.loop.precision import autocast_type
from mk11.selection.classifier import class_probabilities
from mk11.selection.features import Computing, FeatureStore, crops_of
from mk11.selection.field_crops import FieldCrops
from mk11.selection.field_regions import Found, find_regions
from mk11.selection.filters.describe import in_words, swatches
from mk11.selection.filters.fitted import FittedFilter
from mk11.selection.screening import ELIGIBLE, screened
from mk11.selection.strategies.base import Candidates, Labelled
from mk11.selection.strategies.uncertainty import Uncertainty

COLUMNS = 64  # colours beside each other in the picture of a fitted rule


def run(job: SelectJob) -> None:
    """Select, and write everything into the run folder."""
    with recorded(job):
        print_start(job)
        keep_rule(job)
        truth = marked_cells(job)  # before the long way: it may be wrong
        found = regions_of(job)
        write_results(job, found, choose(job, found), truth)
    print_summary(job)


def keep_rule(job: SelectJob) -> None:
    """Leave what a fitted filter has learnt: a file for `filter.rule`, words, a picture of its colours."""
    if not isinstance(job.filter, FittedFilter):
        return
    rule, threshold = job.filter.rule, job.filter.segmentation.threshold
    rule.save(job.folder.path / "colour_rule.json")
    with replacing(job.folder.path / "accepted_colours.png") as temporary:
        picture = Image.fromarray(swatches(rule, threshold=threshold, columns=COLUMNS))
        picture.save(temporary, format="PNG")
    print(f"filter {in_words(rule, threshold=threshold)}", flush=True)


def regions_of(job: SelectJob) -> Found:
    """Regions of all fields; found once for all folds and strategies."""
    folder, fields = job.regions_folder, job.fields.table
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        return find_regions(fields, search=job.search, folder=folder / "parts", workers=job.cfg.workers)


def choose(job: SelectJob, found: Found) -> Chosen:
    """Screen the kept regions, extract features, and let the strategy choose.

    Raises:
        UserError: No region is left to choose from.
    """
    kept = found.regions[found.regions["reason"] == ""].reset_index(drop=True)
    screening = screened(kept, job.data.held_out(job.cfg.fold), radius=job.cfg.duplicates)
    eligible = kept[screening == ELIGIBLE]
    if eligible.empty:
        raise UserError(
            f"filter={job.choices['filter']} must leave regions to select from, but it keeps {len(kept)} of"
            f" {len(found.regions)} in {len(found.fields)} fields, and none of these may be seen"
        )
    store, crops = _store(job), FieldCrops(eligible.reset_index(drop=True), job.fields.table, job.shape)
    require_scale(job.policy, crops.regions.rename(columns={"field": "id"}))
    hashes, scales = crops.regions["crop_hash"].tolist(), crops.regions["um_per_pixel"].tolist()
    features = store.of(hashes, scales, crops.of)
    labelled = _labelled(job, store)
    asked = isinstance(job.strategy, Uncertainty)
    candidates = Candidates(hashes, features, class_probabilities(labelled, features) if asked else None)
    selection = job.strategy.selection(candidates, labelled, budget=job.cfg.budget, seed=job.cfg.seed)
    _check_admitted(job, selection.table)
    return Chosen(kept, screening, eligible.index.to_numpy(), features, labelled, selection, crops)


def _check_admitted(job: SelectJob, table: pd.DataFrame) -> None:
    """UserError where a strategy admits nothing: no run could learn from that."""
    if not table["admitted"].any():
        low, high = table["threshold"].min(), table["threshold"].max()
        raise UserError(
            f"selection={job.row} must admit regions, but none of {len(table)} is within the threshold of its"
            f" prototype: the nearest is {table['distance'].min():.3g} away, thresholds are {low:.3g} to"
            f" {high:.3g}; selection.thresholds has other bounds, and budget=N takes the N nearest for theirs"
        )


def _labelled(job: SelectJob, store: FeatureStore) -> Labelled:
    """The fold's training images: nothing of its other splits is looked at."""
    fold = job.fold
    rows = np.flatnonzero((fold.table["split"] == "train").to_numpy())
    table = fold.table.iloc[rows]
    require_scale(job.policy, table)
    hashes, scales = table["content_hash"].tolist(), table["um_per_pixel"].tolist()
    images = crops_of([fold.pixels[int(row)] for row in rows], scales)
    return Labelled(hashes, store.of(hashes, scales, images), table["label"].to_numpy(), fold.classes)


def _store(job: SelectJob) -> FeatureStore:
    on_gpu = job.cfg.trainer.accelerator != "cpu" and torch.cuda.is_available()
    computing = Computing(
        device=torch.device("cuda" if on_gpu else "cpu"),
        autocast=autocast_type(job.precision),
        batch_size=job.cfg.encoder.batch_size,
        threads=job.cfg.threads or cores(),
    )
    return FeatureStore(job.features_folder, job.encoder, resize=job.policy, computing=computing)
