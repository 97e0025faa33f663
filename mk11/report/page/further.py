"""Tables beside the main one: rare classes apart, the published way, calibration, and the final figures."""

from collections.abc import Iterable, Sequence
from functools import partial

from mk11.metrics.final import OVERALL
from mk11.page import Cell, Column, Table
from mk11.report.findings import GROUPS, Row
from mk11.report.page.overview import flagged, named
from mk11.report.page.words import best_rows, listed, mean_of, metric_column, summary_cell, title
from mk11.report.tables.optimism import PAPERS, optimism_gap
from mk11.report.tables.words import decimals, per_cent, points

CALIBRATION = {
    "ece": ("Calibration error", "Expected calibration error, %: how far confidence is from accuracy."),
    "brier": ("Brier score", "Squared error of the probabilities, summed over the classes; 0 is perfect."),
    "temperature": (
        "Temperature",
        "Fitted on validation images; above 1: the network was too sure of itself.",
    ),
    "ece_tempered": ("Calibration error, tempered", "The same after dividing by the temperature, %."),
    "brier_tempered": ("Brier score, tempered", "The same after dividing by the temperature."),
    "aurc": (
        "Area under risk-coverage",
        "Mean error rate, %, when the least certain images are left to a person.",
    ),
}
IN_PER_CENT = ("ece", "ece_tempered", "aurc")


def further(rows: Sequence[Row]) -> list[Table]:
    """Those that there is anything for."""
    tables = (final_figures(rows), class_groups(rows), as_published(rows), calibration(rows))
    return [table for table in tables if table is not None]


def as_published(rows: Sequence[Row]) -> Table | None:
    """The optimistic figure that the baselines' paper reports, and by how much it exceeds our test figure."""
    metrics = [m for m in PAPERS if any(m in row.as_published for row in rows)]
    if not metrics:
        return None
    columns = [Column("Configuration")]
    for metric in metrics:
        columns += [
            Column(f"{title(metric)}, as published", numeric=True),
            Column("gap", "points", numeric=True),
        ]
    body = [[named(row), *(cell for m in metrics for cell in _gap(row, m))] for row in rows]
    caption = (
        "As published: the best validation epoch of each metric, chosen by the figure that is reported."
        " The gap is how much that exceeds the test figure above, in points, over the folds that have both."
    )
    return Table("as-published", caption, columns, body)


def class_groups(rows: Sequence[Row]) -> Table | None:
    """Frequent, middling and rare classes apart."""
    measures = [
        m for m in ("f1", "pr_auc") if any(m in row.groups.get(g, {}) for row in rows for g in GROUPS)
    ]
    if not measures:
        return None
    pairs = [(group, measure) for measure in measures for group in GROUPS]
    columns = [Column("Configuration")]
    columns += [Column(f"{title(m)}, {g}", _members(rows, g), numeric=True) for g, m in pairs]
    best = [best_rows(rows, partial(_of_group, *pair)) for pair in pairs]
    body = [[named(row), *_groups(row, pairs, best)] for row in rows]
    told = "; ".join(f"{group}: {_members(rows, group)}" for group in GROUPS if _members(rows, group))
    counted = " or ".join(sorted({row.grouped_by for row in rows if row.grouped_by}))
    return Table("class-groups", f"Classes by their number of {counted}. {told}", columns, body)


def calibration(rows: Sequence[Row]) -> Table | None:
    """Whether probabilities can be believed, and what leaving cells to a person would gain."""
    if not any(row.calibration for row in rows):
        return None
    columns = [Column("Configuration"), *(Column(*told, numeric=True) for told in CALIBRATION.values())]
    body = [[named(row), *(_calibrated(row, name) for name in CALIBRATION)] for row in rows]
    caption = "Lower is better, but for the temperature. The temperature is fitted on validation images."
    return Table("calibration", caption, columns, body)


def final_figures(rows: Sequence[Row]) -> Table | None:
    """On the images that were locked away from all folds."""
    if not any(row.final for row in rows):
        return None
    columns = [Column("Configuration"), *map(metric_column, OVERALL)]
    body = [
        [
            flagged(row, [], row.final_marks),
            *(Cell(per_cent(row.final.get(m)), order=row.final.get(m)) for m in OVERALL),
        ]
        for row in rows
        if row.final
    ]
    return Table("final", "On the images locked away from all folds, per cent.", columns, body)


def _gap(row: Row, metric: str) -> list[Cell]:
    gap = optimism_gap(row, metric).mean
    return [summary_cell(row.as_published.get(metric)), Cell(points(gap), order=gap)]


def _of_group(group: str, measure: str, row: Row) -> float | None:
    return mean_of(row.groups.get(group, {}).get(measure))


def _groups(row: Row, pairs: Sequence[tuple[str, str]], best: Sequence[set[str]]) -> list[Cell]:
    return [
        summary_cell(row.groups.get(group, {}).get(measure), best=row.configuration.key in keys)
        for (group, measure), keys in zip(pairs, best, strict=True)
    ]


def _members(rows: Iterable[Row], group: str) -> str:
    return "; ".join(sorted({listed(row.members[group], 20) for row in rows if row.members.get(group)}))


def _calibrated(row: Row, name: str) -> Cell:
    summary = row.calibration.get(name)
    if summary is None or summary.mean is None or name in IN_PER_CENT:
        return summary_cell(summary)
    return Cell(decimals(summary), order=summary.mean)
