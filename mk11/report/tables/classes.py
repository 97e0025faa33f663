"""Figures of single classes, and of head, medium and tail classes."""

from collections.abc import Callable, Sequence

from mk11.evaluation.statistics.summary import FoldSummary
from mk11.report.class_sizes import TEST
from mk11.report.findings import GROUPS, Findings, Row
from mk11.report.published import Figure, PublishedRow, Source, class_order
from mk11.report.tables.columns import Column, figure_column, label_columns, ours, theirs
from mk11.report.tables.contest import parts_of
from mk11.report.tables.table import Cell, Notes, Part, Table
from mk11.runs.states import state_title

GROUP_MEASURES = {"recall": "recall", "f1": "F1", "pr_auc": "PR-AUC"}
RULE = (
    "Head, medium and tail: thirds of the classes by their number of {kind}; a figure is averaged over the "
    "classes of its group in each run, then over folds."
)
OLD = "Test images stand for training images, which these runs do not tell and which do not follow from them."


def class_tables(findings: Findings, published: Sequence[Source]) -> list[Table]:
    """PR-AUC of each class, a table for each state of the data, like the paper's."""
    parts = parts_of([row for row in findings.rows if row.folds])
    return [_class_table(part, published, several=len(parts) > 1) for part in parts]


def group_tables(findings: Findings) -> list[Table]:
    """Recall, F1 and PR-AUC of head, medium and tail classes, a table for each state of the data."""
    parts = parts_of([row for row in findings.rows if row.folds])
    return [_group_table(part, several=len(parts) > 1) for part in parts]


def _class_table(part: Sequence[Row], published: Sequence[Source], *, several: bool) -> Table:
    classes, notes = part[0].configuration.classes, Notes()
    named = {name for source in published for row in source.rows for name in row.per_class}
    theirs_of = class_order(classes, dict.fromkeys(named)) if named else None
    columns = [
        *label_columns(part, notes),
        *(figure_column(name, _of_class(name), _published(name, theirs_of)) for name in classes),
    ]
    sources = [source for source in published if theirs_of and any(row.per_class for row in source.rows)]
    told = ["Mean ± sample standard deviation over folds, in per cent, area by the trapezoid rule."]
    told += _undefined(part)
    parts = [_images(part, columns), *ours(part, columns), *theirs(sources, columns)]
    titles = tuple(one.title for one in columns)
    return Table(
        "per_class", _title("PR-AUC of each class", part, several), titles, parts, [*told, *notes.told()]
    )


def _of_class(name: str) -> Callable[[Row], FoldSummary | None]:
    return lambda row: row.per_class[name]["pr_auc"]


def _published(name: str, theirs_of: dict[str, str] | None) -> Callable[[PublishedRow], Figure | None]:
    return lambda row: row.per_class.get(theirs_of[name]) if theirs_of else None


def _images(part: Sequence[Row], columns: Sequence[Column]) -> Part:
    """Test images of each class, of the row with most of them."""
    most = max(part, key=lambda row: sum(row.supports.values()))
    words = len(columns) - len(most.supports)
    counts = [Cell(str(most.supports[name])) for name in most.configuration.classes]
    return Part(None, [[Cell("test images"), *[Cell("")] * (words - 1), *counts]])


def _undefined(part: Sequence[Row]) -> list[str]:
    """Classes without a figure in some runs, where their mean is over the others."""
    found = {
        f"{name} has no test image in {summary.undefined} runs of {row.label}: its mean is over the others"
        for row in part
        for name, measures in row.per_class.items()
        if (summary := measures["pr_auc"]).undefined
    }
    return sorted(found)


def _group_table(part: Sequence[Row], *, several: bool) -> Table:
    notes = Notes()
    columns = label_columns(part, notes)
    members = {group: part[0].members.get(group) or [] for group in GROUPS}
    for group in (group for group in GROUPS if members[group]):
        columns += [
            figure_column(f"{group}: {title}", _of_group(group, measure))
            for measure, title in GROUP_MEASURES.items()
        ]
    told = [
        RULE.format(kind=part[0].grouped_by),
        *([OLD] if part[0].grouped_by == TEST else []),
        *(f"{group}: {', '.join(names)}" for group, names in members.items() if names),
        *notes.told(),
    ]
    title = _title("Head, medium and tail classes, in per cent", part, several)
    return Table("groups", title, tuple(one.title for one in columns), ours(part, columns), told)


def _of_group(group: str, measure: str) -> Callable[[Row], FoldSummary | None]:
    return lambda row: row.groups.get(group, {}).get(measure)


def _title(title: str, part: Sequence[Row], several: bool) -> str:
    return f"{title}: {state_title(part[0].configuration)}" if several else title
