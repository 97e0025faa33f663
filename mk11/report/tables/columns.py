"""Columns: what a table shows of each row, and of which figure the best is bold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mk11.evaluation.statistics.summary import FoldSummary
from mk11.report.findings import Row
from mk11.report.published import Figure, PublishedRow, Source
from mk11.report.tables.contest import best_of, parts_of
from mk11.report.tables.table import NONE, Cell, Notes, Part
from mk11.report.tables.words import TITLES, per_cent, with_sd
from mk11.runs.states import state_title

EMPTY = Cell(NONE)


@dataclass(frozen=True)
class Column:
    """One column. `contest` gives the figure of which the best row is bold; None where nothing competes."""

    title: str
    cell: Callable[[Row], Cell]
    contest: Callable[[Row], float | None] | None = None
    published: Callable[[PublishedRow], Cell] = lambda _: EMPTY
    highest: bool = True


def label_columns(rows: Sequence[Row], notes: Notes) -> list[Column]:
    """Name with the letters of its notes, folds, seeds."""
    return [
        Column(
            "Configuration",
            lambda row: Cell(
                row.label, raised=notes.letters_of([*row.marks, *lacking(row)]), key=row.configuration.key
            ),
            published=lambda row: Cell(
                row.method,
                raised=notes.letters_of([_corrected(row)] if row.corrected else []),
                key=row.source,
            ),
        ),
        Column("Folds", lambda row: Cell(_folds(row)), published=lambda _: Cell("5")),
        *(
            [Column("Seeds", lambda row: Cell(str(seeds_of(row))))]
            if any(seeds_of(row) > 1 for row in rows)
            else []
        ),
    ]


def figure_column(
    title: str,
    summary: Callable[[Row], FoldSummary | None],
    published: Callable[[PublishedRow], Figure | None] = lambda _: None,
) -> Column:
    """Mean and standard deviation in per cent, the highest mean bold."""
    return Column(
        title,
        lambda row: Cell(with_sd(summary(row))),
        contest=lambda row: found.mean if (found := summary(row)) else None,
        published=published_figure(published),
    )


def published_figure(figure: Callable[[PublishedRow], Figure | None]) -> Callable[[PublishedRow], Cell]:
    """The same of a published row."""

    def cell(row: PublishedRow) -> Cell:
        found = figure(row)
        return EMPTY if found is None else Cell(f"{per_cent(found[0])} ± {per_cent(found[1])}")

    return cell


def ours(rows: Sequence[Row], columns: Sequence[Column]) -> list[Part]:
    """Rows in parts of one state of the data each, the best of each part bold."""
    parts = parts_of(rows)
    return [
        Part(state_title(part[0].configuration) if len(parts) > 1 else None, _rows(part, columns))
        for part in parts
    ]


def theirs(sources: Sequence[Source], columns: Sequence[Column]) -> list[Part]:
    """Published rows: nothing is bold, as they compete with nothing of ours."""
    return [
        Part(
            f"Other people's data: {source.title}",
            [[one.published(row) for one in columns] for row in source.rows],
        )
        for source in sources
    ]


def lacking(row: Row) -> list[str]:
    """A sentence on the cells that a row is without."""
    missing = row.configuration.missing
    cells = ", ".join(f"fold {fold} seed {seed}" for fold, seed in missing)
    return [f"without {cells}"] if cells else []


def seeds_of(row: Row) -> int:
    """Seeds with a result in any fold."""
    return max((summary.seeds for summary in row.summaries.values()), default=0)


def _rows(part: Sequence[Row], columns: Sequence[Column]) -> list[list[Cell]]:
    best = [best_of(part, one.contest, highest=one.highest) if one.contest else set() for one in columns]
    return [
        [
            replace(one.cell(row), bold=row.configuration.key in keys)
            for one, keys in zip(columns, best, strict=True)
        ]
        for row in part
    ]


def _folds(row: Row) -> str:
    expected = len(row.configuration.expected_folds)
    return str(expected) if len(row.folds) == expected else f"{len(row.folds)} of {expected}"


def _corrected(row: PublishedRow) -> str:
    metrics = " and ".join(TITLES[metric] for metric in row.corrected)
    return f"{metrics} in the corrected order: the source prints each in the other's column"
