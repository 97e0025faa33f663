"""What was compared, on which data, and the table of results."""

from collections.abc import Iterable, Mapping

from mk11.evaluation.statistics.summary import FoldSummary
from mk11.metrics.final import OVERALL
from mk11.page import Cell, Column, Table
from mk11.report.figures.choice import ranked
from mk11.report.findings import Findings, Row
from mk11.report.page.words import (
    NONE,
    anchor,
    best_rows,
    listed,
    metric_column,
    per_cent,
    plural,
    several,
    summary_cell,
    title,
)
from mk11.report.states import data_state

ROWS_SHOWN = 50


def headline(findings: Findings) -> str:
    """One sentence on what the page shows."""
    done = sum(run.metrics is not None for run in findings.runs)
    told = several(len(findings.rows), "configuration")
    return f"{told} with a result, from {several(len(findings.runs), 'run')} of which {done:,} finished."


def results(findings: Findings) -> Table:
    """One row per configuration, the best first: every metric, mean and standard deviation over folds."""
    interval = any(findings.primary in row.intervals for row in findings.rows)
    columns = [Column("Configuration"), Column("Folds", "And seeds, if several.", numeric=True)]
    metrics = [findings.primary, *(metric for metric in OVERALL if metric != findings.primary)]
    columns += [metric_column(metric) for metric in metrics]
    if interval:
        columns.insert(3, Column(_interval_title(findings), _interval_hint(findings), numeric=True))
    best = {
        metric: best_labels(findings.rows, {r.label: r.summaries.get(metric) for r in findings.rows})
        for metric in metrics
    }
    rows = []
    for row in ranked(findings.rows, findings.primary):
        cells = [summary_cell(row.summaries.get(m), best=row.label in best[m]) for m in metrics]
        if interval:
            cells.insert(1, _interval(row, findings.primary))
        rows.append([*_head(row), *cells])
    caption = (
        "Test images, per cent: mean \N{PLUS-MINUS SIGN} standard deviation over folds."
        " Bold: the highest of its column, among complete rows on the same data."
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
    flags = ["incomplete"] if not row.complete else []
    flags += ["marked"] if row.marks else []
    return Cell(row.label, link=anchor(row.configuration), note=f"({', '.join(flags)})" if flags else "")


def best_labels(rows: Iterable[Row], found: Mapping[str, FoldSummary | None]) -> set[str]:
    """Labels of the best: complete rows only, among those on the same data."""
    complete = [row for row in rows if row.complete]
    means = {row.label: summary.mean if (summary := found[row.label]) else None for row in complete}
    states = {row.label: data_state(row.configuration) for row in complete}
    return best_rows(means, states)


def _interval(row: Row, metric: str) -> Cell:
    interval = row.intervals.get(metric)
    if interval is None:
        return Cell(NONE)
    return Cell(f"{per_cent(interval.low)} to {per_cent(interval.high)}", order=interval.low)


def _interval_title(findings: Findings) -> str:
    levels = {
        row.intervals[findings.primary].level for row in findings.rows if findings.primary in row.intervals
    }
    return f"{100 * max(levels):.0f} % interval"


def _interval_hint(findings: Findings) -> str:
    units = {
        row.intervals[findings.primary].unit for row in findings.rows if findings.primary in row.intervals
    }
    return f"Of {title(findings.primary)}, by drawing {listed(sorted(map(plural, units)))} anew (bootstrap)."
