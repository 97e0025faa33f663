"""Figures on the patients who were locked away from all folds."""

from mk11.report.findings import Findings, Row
from mk11.report.tables.columns import Column
from mk11.report.tables.summary import PRINTED
from mk11.report.tables.table import Cell, Notes, Part, Table
from mk11.report.tables.words import TITLES, per_cent

MEANING = (
    "Trained on all folds and tested once on the images of patients who are in none of them; averaged over "
    "seeds. No contest: one test set has no spread over folds."
)


def final_table(findings: Findings) -> Table:
    """Every row that has been run on `fold=final`."""
    rows, notes = [row for row in findings.rows if row.final], Notes()
    columns = [Column("Configuration", lambda row: Cell(row.label, raised=notes.letters_of(row.marks)))]
    columns += [_column(metric) for metric in PRINTED]
    body = [[one.cell(row) for one in columns] for row in rows]
    title = "Final figures, on patients locked away, in per cent"
    return Table(
        "final", title, tuple(one.title for one in columns), [Part(None, body)], [MEANING, *notes.told()]
    )


def _column(metric: str) -> Column:
    def cell(row: Row) -> Cell:
        return Cell(per_cent(row.final.get(metric)))

    return Column(TITLES[metric], cell)
