"""Tables beside the main one: rare classes apart, the published way, calibration, and the final figures."""

from collections.abc import Iterable, Sequence

from mk11.metrics.final import OVERALL
from mk11.page import Cell, Column, Table
from mk11.report.findings import GROUPS, Row
from mk11.report.page.overview import best_labels, named
from mk11.report.page.words import (
    NONE,
    listed,
    metric_column,
    per_cent,
    plain_number,
    points,
    summary_cell,
    title,
)

PUBLISHED = ("accuracy", "f1_weighted", "pr_auc")  # what the baselines' paper prints
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
    tables = (final_figures(rows), class_groups(rows), published(rows), calibration(rows))
    return [table for table in tables if table is not None]


def published(rows: Sequence[Row]) -> Table | None:
    """The optimistic figure that the baselines' paper reports, and by how much it exceeds ours."""
    metrics = [m for m in PUBLISHED if any(m in row.as_published for row in rows)]
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
        " The gap is how much that exceeds the test figure above, in points."
    )
    return Table("published", caption, columns, body)


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
    summaries = {row.label: [row.groups.get(g, {}).get(m) for g, m in pairs] for row in rows}
    best = [
        best_labels(rows, {label: found[k] for label, found in summaries.items()}) for k in range(len(pairs))
    ]
    body = [
        [
            named(row),
            *(summary_cell(s, best=row.label in best[k]) for k, s in enumerate(summaries[row.label])),
        ]
        for row in rows
    ]
    told = "; ".join(f"{group}: {_members(rows, group)}" for group in GROUPS if _members(rows, group))
    return Table("class-groups", f"Classes by their number of training images. {told}", columns, body)


def calibration(rows: Sequence[Row]) -> Table | None:
    """Whether probabilities can be believed, and what leaving cells to a person would gain."""
    if not any(row.calibration for row in rows):
        return None
    columns = [Column("Configuration"), *(Column(*told, numeric=True) for told in CALIBRATION.values())]
    body = [[named(row), *(_calibrated(row, name) for name in CALIBRATION)] for row in rows]
    caption = "Lower is better, but for the temperature. The temperature is fitted on validation images."
    return Table("calibration", caption, columns, body)


def final_figures(rows: Sequence[Row]) -> Table | None:
    """On the patients that were locked away."""
    if not any(row.final for row in rows):
        return None
    columns = [Column("Configuration"), *map(metric_column, OVERALL)]
    body = [
        [named(row), *(Cell(per_cent(row.final.get(m)), order=row.final.get(m)) for m in OVERALL)]
        for row in rows
        if row.final
    ]
    return Table("final", "On the images locked away from all folds, per cent.", columns, body)


def _gap(row: Row, metric: str) -> list[Cell]:
    theirs, ours = row.as_published.get(metric), row.summaries.get(metric)
    if theirs is None or ours is None or theirs.mean is None or ours.mean is None:
        return [summary_cell(theirs), Cell(NONE)]
    gap = theirs.mean - ours.mean
    return [summary_cell(theirs), Cell(points(gap), order=gap)]


def _members(rows: Iterable[Row], group: str) -> str:
    return "; ".join(sorted({listed(row.members[group], 20) for row in rows if row.members.get(group)}))


def _calibrated(row: Row, name: str) -> Cell:
    summary = row.calibration.get(name)
    if summary is None or summary.mean is None or name in IN_PER_CENT:
        return summary_cell(summary)
    spread = "" if summary.sd is None else f" \N{PLUS-MINUS SIGN} {plain_number(summary.sd)}"
    return Cell(plain_number(summary.mean) + spread, order=summary.mean)
