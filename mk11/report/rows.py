"""Rows: the stored metrics of a configuration's runs, over folds."""

from collections import defaultdict
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
from mk11.report.class_sizes import ClassSizes, class_sizes, tested_images
from mk11.report.findings import Row
from mk11.runs.configurations import Configuration
from mk11.runs.ledger import FINAL, Run
from mk11.runs.marks import final_marks_of, marks_of
from mk11.runs.states import State, data_state


def rows_of(configurations: Sequence[Configuration]) -> list[Row]:
    """A row for each configuration with a result.

    Rows on one state of the data share their head, medium and tail classes.
    """
    members: dict[State, list[Configuration]] = defaultdict(list)
    for one in configurations:
        members[data_state(one)].append(one)
    sizes = {state: class_sizes(found) for state, found in members.items()}
    return [row_of(one, sizes=sizes[data_state(one)]) for one in configurations if one.finished]


def row_of(configuration: Configuration, *, sizes: ClassSizes | None = None) -> Row:
    """The point figures of a configuration with at least one result; intervals and calibration come later.

    Args:
        configuration: With a result.
        sizes: Of the classes, which cut them into head, medium and tail; None for the configuration's own.
    """
    sizes = sizes or class_sizes([configuration])
    runs = [run for run in configuration.finished if run.fold != FINAL]
    test = {(run.fold, run.seed): _metrics(run)["test"] for run in runs}
    members = class_groups(sizes.images) if sizes else {}
    return Row(
        configuration=configuration,
        summaries=summarise(test),
        per_class=summarise_classes(test, configuration.classes),
        groups=summarise_groups(test, members),
        as_published=_as_published(runs),
        intervals={},
        calibration={},
        marks=marks_of(runs),
        supports=tested_images(configuration),
        members=members,
        grouped_by=sizes.kind if sizes else "",
        final=_final(configuration),
        final_marks=final_marks_of(configuration.finished),
    )


def _as_published(runs: Sequence[Run]) -> dict[str, FoldSummary]:
    """Each metric at the epoch at which it is best on validation, as the MK-11 baselines were reported."""
    best = {(run.fold, run.seed): _metrics(run).get("best_validation") or {} for run in runs}
    return {
        name: over_folds({cell: (told.get(name) or {}).get("value") for cell, told in best.items()})
        for name in OVERALL
    }


def _final(configuration: Configuration) -> dict[str, float | None]:
    """On the images locked away, averaged over seeds; empty where that has not been run."""
    runs = [run for run in configuration.finished if run.fold == FINAL]
    found = summarise({(run.fold, run.seed): _metrics(run)["test"] for run in runs})
    return {name: summary.mean for name, summary in found.items()} if runs else {}


def _metrics(run: Run) -> Mapping[str, Any]:
    assert run.metrics is not None, "rows are made of finished runs"
    return run.metrics
