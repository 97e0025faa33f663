"""Published figures for reference: other people's data, splits and protocol, so in tables of their own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mk11.page import Cell, Column, Table
from mk11.report.page.words import metric_column
from mk11.report.published import METRICS, Figure, Source, class_order
from mk11.report.tables.words import NONE, TITLES, per_cent

WHOSE = (
    "Other people's data, splits and protocol, as they print them, in per cent: mean \N{PLUS-MINUS SIGN}"
    " standard deviation over five folds. Nothing here competes with the figures above."
)


@dataclass(frozen=True)
class Others:
    """The published figures with what must be known of their sources."""

    tables: list[Table]
    notes: list[str]


def others(sources: Sequence[Source], ours: Sequence[tuple[str, ...]]) -> Others:
    """Overall figures, and those of each class where a source has the classes of some of our rows.

    Args:
        sources: The publications; there are no tables without any.
        ours: Classes of each of our rows.
    """
    if not sources:
        return Others([], [])
    notes = [note for source in sources for note in source.notes]
    return Others([_overall(sources), *_classes(sources, ours)], notes)


def _overall(sources: Sequence[Source]) -> Table:
    columns = [Column("Method"), Column("Source"), Column("Read at"), *map(metric_column, METRICS)]
    body = [
        [
            Cell(row.method, note=_corrected(row.corrected)),
            Cell(source.title),
            Cell("best validation epoch" if row.best_validation else "test"),
            *(_cell(row.figures.get(metric)) for metric in METRICS),
        ]
        for source in sources
        for row in source.rows
    ]
    return Table("published", WHOSE, columns, body)


def _classes(sources: Sequence[Source], ours: Sequence[tuple[str, ...]]) -> Iterator[Table]:
    for number, classes in enumerate(dict.fromkeys(ours)):
        for source in sources:
            named = dict.fromkeys(name for row in source.rows for name in row.per_class)
            theirs = class_order(classes, named) if named else None
            if theirs is not None:
                yield _of_each_class(source, theirs, number)


def _of_each_class(source: Source, theirs: dict[str, str], number: int) -> Table:
    columns = [Column("Method"), *(Column(name, theirs[name], numeric=True) for name in theirs)]
    body = [
        [Cell(row.method), *(_cell(row.per_class.get(name)) for name in theirs.values())]
        for row in source.rows
        if row.per_class
    ]
    caption = f"{TITLES['pr_auc']} of each subtype in {source.title}. {WHOSE}"
    return Table(f"published-classes-{source.key}-{number}", caption, columns, body)


def _cell(figure: Figure | None) -> Cell:
    if figure is None:
        return Cell(NONE)
    mean, sd = figure
    return Cell(f"{per_cent(mean)} \N{PLUS-MINUS SIGN} {per_cent(sd)}", order=mean)


def _corrected(metrics: Sequence[str]) -> str:
    return f"({' and '.join(TITLES[metric] for metric in metrics)} in the corrected order)" if metrics else ""
