"""As published: the best validation epoch of each metric, and how far it is above the honest figure."""

from collections.abc import Sequence
from functools import partial

from mk11.evaluation.statistics.summary import FoldSummary, over_folds
from mk11.report.findings import Findings, Row
from mk11.report.published import Source
from mk11.report.tables.columns import Column, figure_column, label_columns, ours, published_figure, theirs
from mk11.report.tables.table import Cell, Notes, Table
from mk11.report.tables.words import TITLES, points, with_sd

PAPERS = ("accuracy", "f1_weighted", "f1_macro", "pr_auc")  # what the papers print
HOW_PUBLISHED = (
    "As published: the best validation epoch of each metric by itself, as the MK-11 baselines were reported. "
    "Gap: that less the test figure, in percentage points."
)


def optimism_table(findings: Findings, published: Sequence[Source]) -> Table:
    """Test figure, best validation epoch and gap, for each metric that the papers print."""
    rows, notes = [row for row in findings.rows if row.folds], Notes()
    columns = label_columns(rows, notes)
    for metric in PAPERS:
        columns.append(figure_column(f"{TITLES[metric]}, test", partial(_test, metric)))
        columns += optimism_columns(metric)
    like = [source for source in published if source.best_validation]
    parts = [*ours(rows, columns), *theirs(like, columns)]
    told = [HOW_PUBLISHED, *(note for source in like for note in source.notes), *notes.told()]
    title = "Figures as published (best validation epoch) beside test figures, in per cent"
    return Table("as_published", title, tuple(one.title for one in columns), parts, told)


def optimism_columns(metric: str) -> list[Column]:
    """Best validation epoch, without a contest, and the gap."""
    return [
        Column(
            f"{TITLES[metric]}, as published",
            lambda row: Cell(with_sd(row.as_published.get(metric))),
            published=published_figure(lambda row: row.figures.get(metric) if row.best_validation else None),
        ),
        Column("Gap", lambda row: Cell(points(optimism_gap(row, metric).mean))),
    ]


def _test(metric: str, row: Row) -> FoldSummary:
    return row.summaries[metric]


def optimism_gap(row: Row, metric: str) -> FoldSummary:
    """Best validation epoch less test, over the folds that have both."""
    test, best = row.summaries[metric].values, row.as_published[metric].values
    return over_folds({(fold, 0): best[fold] - test[fold] for fold in test if fold in best})
