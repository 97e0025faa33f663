"""Calibration and selective prediction."""

from mk11.evaluation.calibration import BINS
from mk11.evaluation.statistics.summary import FoldSummary
from mk11.report.findings import Findings, Row
from mk11.report.tables.columns import Column, label_columns, ours
from mk11.report.tables.table import Cell, Notes, Table
from mk11.report.tables.words import decimals

TITLES = {
    "ece": "ECE",
    "brier": "Brier",
    "temperature": "Temperature",
    "ece_tempered": "ECE, tempered",
    "brier_tempered": "Brier, tempered",
    "aurc": "AURC",
}
NOTES = (
    f"ECE: expected calibration error of the predicted class, {BINS} bins of equal width. Brier: squared "
    "distance from the truth, summed over classes, 0 to 2. Both as fractions, before and after a temperature "
    "fitted on validation images.",
    "AURC: mean error over coverages when the least sure images are left to an expert; 0 is best. "
    "Bold: the lowest of its column.",
)


def calibration_table(findings: Findings) -> Table:
    """Calibration error, Brier score, temperature and area under the coverage-risk curve."""
    rows, notes = [row for row in findings.rows if row.calibration], Notes()
    columns = label_columns(rows, notes)
    columns += [_column(name, title) for name, title in TITLES.items()]
    title = "Calibration and selective prediction on test images"
    names = tuple(one.title for one in columns)
    return Table("calibration", title, names, ours(rows, columns), [*NOTES, *notes.told()])


def _column(name: str, title: str) -> Column:
    def summary(row: Row) -> FoldSummary | None:
        return row.calibration.get(name)

    def lowest(row: Row) -> float | None:
        return found.mean if (found := summary(row)) else None

    contest = None if name == "temperature" else lowest
    return Column(title, lambda row: Cell(decimals(summary(row))), contest=contest, highest=False)
