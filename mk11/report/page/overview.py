"""What was compared, on which data, and the table of results."""

from collections.abc import Sequence
from functools import partial

from mk11.evaluation.statistics.bootstrap import Interval
from mk11.evaluation.statistics.patients import in_words
from mk11.metrics.final import OVERALL
from mk11.page import Cell, Column, Table
from mk11.report.figures.choice import ranked
from mk11.report.findings import Findings, Row
from mk11.report.page.words import (
    anchor,
    best_rows,
    listed,
    mean_of,
    metric_column,
    several,
    summary_cell,
    title,
)
from mk11.report.tables.summary import BOLD
from mk11.report.tables.words import NONE, per_cent

ROWS_SHOWN = 50


def headline(findings: Findings) -> str:
    """One sentence on what the page shows."""
    done = sum(run.metrics is not None for run in findings.runs)
    told = several(len(findings.rows), "configuration")
    return f"{told} with a result, from {several(len(findings.runs), 'run')} of which {done:,} finished."


def results(findings: Findings) -> Table:
    """One row per configuration, the best first: every metric, mean and standard deviation over folds."""
    interval = bool(_intervals(findings))
    columns = [Column("Configuration"), Column("Folds", "And seeds, if several.", numeric=True)]
    metrics = [findings.primary, *(metric for metric in OVERALL if metric != findings.primary)]
    columns += [metric_column(metric) for metric in metrics]
    if interval:
        columns.insert(3, Column(_interval_title(findings), _interval_hint(findings), numeric=True))
    best = {metric: best_rows(findings.rows, partial(_mean, metric)) for metric in metrics}
    rows = []
    for row in ranked(findings.rows, findings.primary):
        key = row.configuration.key
        cells = [summary_cell(row.summaries.get(m), best=key in best[m]) for m in metrics]
        if interval:
            cells.insert(1, _interval(row, findings.primary))
        rows.append([*_head(row), *cells])
    caption = (
        "Test images, per cent: mean \N{PLUS-MINUS SIGN} standard deviation over folds. "
        f"{BOLD} Other rows stand below those."
    )
    return Table("results", caption, columns, rows, rows_shown=ROWS_SHOWN, filters=True)


def _head(row: Row) -> list[Cell]:
    expected = len(row.configuration.expected_folds)
    folds = len(row.folds)
    told = str(folds) if row.complete or not expected else f"{folds} of {expected}"
    seeds = len(row.configuration.seeds)
    note = f"{seeds} seeds" if seeds > 1 else ""
    return [named(row), Cell(told, order=folds, note=note)]


def named(row: Row) -> Cell:
    """A row's name, which leads to its runs, with what must be known before it is read."""
    return flagged(row, ["incomplete"] if not row.complete else [], row.marks)


def flagged(row: Row, flags: Sequence[str], marks: Sequence[str]) -> Cell:
    """The same with some flags, and one for marks, which stand in full above all tables."""
    told = [*flags, *(["marked"] if marks else [])]
    return Cell(row.label, link=anchor(row.configuration), note=f"({', '.join(told)})" if told else "")


def _mean(metric: str, row: Row) -> float | None:
    return mean_of(row.summaries.get(metric))


def _interval(row: Row, metric: str) -> Cell:
    interval = row.intervals.get(metric)
    if interval is None:
        return Cell(NONE)
    return Cell(f"{per_cent(interval.low)} to {per_cent(interval.high)}", order=interval.low)


def _intervals(findings: Findings) -> Sequence[Interval]:
    found = [row.intervals.get(findings.primary) for row in findings.rows]
    return [interval for interval in found if interval is not None]


def _interval_title(findings: Findings) -> str:
    return f"{100 * max(interval.level for interval in _intervals(findings)):g} % interval"


def _interval_hint(findings: Findings) -> str:
    drawn = sorted({in_words(interval.unit) for interval in _intervals(findings)})
    return f"Of {title(findings.primary)}, by drawing {listed(drawn)} anew (bootstrap)."
