"""Subtypes one by one."""

from collections.abc import Sequence
from dataclasses import dataclass

from mk11.page import Cell, Column, Table
from mk11.report.findings import MEASURES, Row
from mk11.report.page.words import anchor, best_rows, mean_of, summary_cell, title

ACROSS = ("pr_auc", "f1")


@dataclass(frozen=True)
class ClassTables:
    """Configurations on one set of classes: a table for each measure of `ACROSS`, one row a configuration."""

    classes: tuple[str, ...]
    tables: list[Table]


def across(rows: Sequence[Row]) -> list[ClassTables]:
    """The papers' per-class tables; configurations with other classes have tables of their own."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(row.configuration.classes, []).append(row)
    return [
        ClassTables(classes, [_across(alike, classes, measure, number) for measure in ACROSS])
        for number, (classes, alike) in enumerate(found.items())
    ]


def of_configuration(row: Row) -> Table:
    """One row per class, one column per measure."""
    columns = [Column("Subtype"), *(Column(title(measure), numeric=True) for measure in MEASURES)]
    columns.append(Column("Test images", "Pooled over folds.", numeric=True))
    body = []
    for name in row.configuration.classes:
        measures = row.per_class.get(name, {})
        support = row.supports.get(name)
        images = Cell("" if support is None else f"{support:,}", order=support)
        body.append([Cell(name), *(summary_cell(measures.get(measure)) for measure in MEASURES), images])
    name = f"classes-{row.configuration.key}"
    return Table(
        name, "Per cent: mean \N{PLUS-MINUS SIGN} standard deviation over folds.", columns, body, wide=False
    )


def _across(rows: Sequence[Row], classes: tuple[str, ...], measure: str, number: int) -> Table:
    supports = {name: max((row.supports.get(name, 0) for row in rows), default=0) for name in classes}
    columns = [Column("Configuration")]
    columns += [Column(name, f"{supports[name]:,} test images", numeric=True) for name in classes]
    best = [_best(rows, name, measure) for name in classes]
    body = [
        [
            Cell(row.label, link=anchor(row.configuration)),
            *(
                summary_cell(row.per_class.get(name, {}).get(measure), best=row.configuration.key in best[k])
                for k, name in enumerate(classes)
            ),
        ]
        for row in rows
    ]
    caption = (
        f"{title(measure)} of each subtype, per cent: mean \N{PLUS-MINUS SIGN} standard deviation over folds."
    )
    return Table(f"classes-{measure}-{number}", caption, columns, body)


def _best(rows: Sequence[Row], name: str, measure: str) -> set[str]:
    return best_rows(rows, lambda row: mean_of(row.per_class.get(name, {}).get(measure)))
