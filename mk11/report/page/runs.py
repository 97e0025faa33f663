"""Every run, a line each."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mk11.page import Cell, Column, Table
from mk11.report.page.words import anchor, metric_column
from mk11.report.tables.words import NONE, per_cent
from mk11.runs.configurations import Configuration
from mk11.runs.ledger import Run

ROWS_SHOWN = 50
STATUS = {"finished": "good", "failed": "bad", "died": "bad", "interrupted": "warn", "running": "quiet"}
SHOWN = ("f1_macro", "accuracy", "pr_auc")


@dataclass(frozen=True)
class RunGroup:
    """The runs of a configuration, or those that no table counts; `anchor` is its id on the page."""

    label: str
    anchor: str
    runs: Sequence[Run]


def grouped(configurations: Sequence[Configuration], runs: Sequence[Run]) -> list[RunGroup]:
    """All runs by configuration, then those that are in none: other runs have taken their place."""
    groups = [RunGroup(c.label, anchor(c), c.runs) for c in configurations]
    counted = {run.folder.path for group in groups for run in group.runs}
    rest = [run for run in runs if run.folder.path not in counted]
    return [*groups, RunGroup("not counted", "not-counted", rest)] if rest else groups


def run_table(groups: Sequence[RunGroup], *, primary: str) -> Table:
    """Configuration, fold, seed, status, metrics, time and place of every run."""
    metrics = [primary, *(metric for metric in SHOWN if metric != primary)]
    columns = [
        Column("Run"),
        Column("Configuration"),
        Column("Fold", numeric=True),
        Column("Seed", numeric=True),
        Column("Status"),
        *map(metric_column, metrics),
        Column("Minutes", "Over all starts.", numeric=True),
        Column("Device"),
        Column("Commit"),
        Column("Started", "UTC"),
    ]
    body = [_line(run, group.label, metrics) for group in groups for run in group.runs]
    caption = "Every run. Metrics on its test images, per cent."
    return Table("runs", caption, columns, body, rows_shown=ROWS_SHOWN, filters=True)


def run_anchor(run: Run) -> str:
    """The id of a run's details on the page."""
    return f"run-{hashlib.blake2b(os.fsencode(run.folder.path), digest_size=6).hexdigest()}"


def moment(told: Any) -> str:  # noqa: ANN401
    """A time as `run.json` has it, without its T."""
    return NONE if not told else str(told).replace("T", " ").replace("+00:00", " UTC")


def _line(run: Run, label: str, metrics: Sequence[str]) -> list[Cell]:
    record, test = run.record, (run.metrics or {}).get("test", {})
    seconds = record.get("seconds")
    return [
        Cell(run.folder.path.name, link=run_anchor(run)),
        Cell(label),
        Cell(str(run.fold), order=run.fold if isinstance(run.fold, int) else None),
        Cell(str(run.seed), order=run.seed),
        Cell(run.status, kind=STATUS.get(run.status, "quiet")),
        *(Cell(per_cent(test.get(metric)), order=test.get(metric)) for metric in metrics),
        Cell(NONE if seconds is None else f"{seconds / 60:.1f}", order=seconds),
        Cell(str(record.get("device") or NONE)),
        Cell(_commit(record)),
        Cell(moment(record.get("started"))[:16]),
    ]


def _commit(record: Mapping[str, Any]) -> str:
    """Short; `+`, which says that tracked files differed, is kept."""
    commit = str(record.get("commit") or "")
    return f"{commit[:8]}{'+' if commit.endswith('+') else ''}" if commit else NONE
