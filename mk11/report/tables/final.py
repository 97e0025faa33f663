"""Figures on the images that were locked away from all folds."""

from mk11.report.findings import Findings, Row
from mk11.report.tables.columns import Column
from mk11.report.tables.summary import PRINTED
from mk11.report.tables.table import Cell, Notes, Part, Table
from mk11.report.tables.words import TITLES, per_cent

MEANING = (
    "Trained on all folds and tested once on images that are in none of them; averaged over seeds. Where "
    "groups (patients, slides or fields) are known they were locked away whole. No contest: one test set has "
    "no spread over folds."
)


def final_table(findings: Findings) -> Table:
    """Every row that has been run on `fold=final`."""
    rows, notes = [row for row in findings.rows if row.final], Notes()
    columns = [
        Column(
            "Configuration",
            lambda row: Cell(row.label, raised=notes.letters_of(row.final_marks), key=row.configuration.key),
        )
    ]
    columns += [_column(metric) for metric in PRINTED]
    body = [[one.cell(row) for one in columns] for row in rows]
    title = "Final figures, on images locked away, in per cent"
    return Table(
        "final", title, tuple(one.title for one in columns), [Part(None, body)], [MEANING, *notes.told()]
    )


def _column(metric: str) -> Column:
    def cell(row: Row) -> Cell:
        return Cell(per_cent(row.final.get(metric)))

    return Column(TITLES[metric], cell)
