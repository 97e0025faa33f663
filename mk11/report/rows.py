"""Rows: the stored metrics of a configuration's runs, over folds."""

from collections.abc import Mapping, Sequence
from typing import Any

from mk11.evaluation.statistics.summary import (
    FoldSummary,
    class_groups,
    over_folds,
    summarise,
    summarise_classes,
    summarise_groups,
)
from mk11.metrics.final import OVERALL
from mk11.report.findings import Row
from mk11.report.marks import marks_of
from mk11.runs.configurations import Configuration
from mk11.runs.ledger import Run

FINAL = "final"

Cell = tuple[int | str, int]  # fold and seed


def row_of(configuration: Configuration) -> Row:
    """The point figures of a configuration with at least one result; intervals and calibration come later."""
    runs = [run for run in configuration.finished if run.fold != FINAL]
    test = {(run.fold, run.seed): _metrics(run)["test"] for run in runs}
    counts = training_counts(runs)
    members = class_groups(counts) if counts else {}
    return Row(
        configuration=configuration,
        summaries=summarise(test),
        per_class=summarise_classes(test, configuration.classes),
        groups=summarise_groups(test, members),
        as_published=_as_published(runs),
        intervals={},
        calibration={},
        marks=marks_of(configuration.finished),
        supports=_supports(runs, configuration.classes),
        members=members,
        final=_final(configuration),
    )


def training_counts(runs: Sequence[Run]) -> dict[str, float]:
    """Training images of each class in a fold, averaged over runs.

    Validation and test parts are drawn like the training part, so each class has the same share of all three.
    """
    found: dict[str, float] = {}
    for run in runs:
        metrics = _metrics(run)
        held_out = [metrics["val"]["per_class"], metrics["test"]["per_class"]]
        images = metrics["val"]["images"] + metrics["test"]["images"]
        train = (run.record["data"].get("images") or {}).get("train", images)
        for name in run.classes:
            share = sum(part[name]["support"] for part in held_out) / images
            found[name] = found.get(name, 0.0) + share * train / len(runs)
    return found


def _as_published(runs: Sequence[Run]) -> dict[str, FoldSummary]:
    """Each metric at the epoch at which it is best on validation, as the MK-11 baselines were reported."""
    best = {(run.fold, run.seed): _metrics(run).get("best_validation") or {} for run in runs}
    return {
        name: over_folds({cell: (told.get(name) or {}).get("value") for cell, told in best.items()})
        for name in OVERALL
    }


def _supports(runs: Sequence[Run], classes: Sequence[str]) -> dict[str, int]:
    """Test images of each class, every fold counted once."""
    of_fold = {run.fold: _metrics(run)["test"]["per_class"] for run in runs}
    return {name: sum(found[name]["support"] for found in of_fold.values()) for name in classes}


def _final(configuration: Configuration) -> dict[str, float | None]:
    """On the patients locked away, averaged over seeds; empty where that has not been run."""
    runs = [run for run in configuration.finished if run.fold == FINAL]
    found = summarise({(run.fold, run.seed): _metrics(run)["test"] for run in runs})
    return {name: summary.mean for name, summary in found.items()} if runs else {}


def _metrics(run: Run) -> Mapping[str, Any]:
    assert run.metrics is not None, "rows are made of finished runs"
    return run.metrics
