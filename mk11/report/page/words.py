"""Words and cells of the page; figures are printed as the report's tables print them."""

from collections.abc import Callable, Sequence

from mk11.evaluation.statistics.summary import FoldSummary
from mk11.metrics.final import OVERALL
from mk11.page import Cell, Column
from mk11.report.findings import Row
from mk11.report.tables.contest import best_of, parts_of
from mk11.report.tables.words import NONE, TITLES, with_sd
from mk11.runs.configurations import Configuration

OF_A_CLASS = {"precision": "Precision", "recall": "Recall", "f1": "F1"}  # PR-AUC is among TITLES
MEANINGS = {
    "accuracy": "Share of images whose most probable class is right.",
    "balanced_accuracy": "Recall, averaged over the classes.",
    "f1_weighted": "F1 averaged over the classes with their image counts as weights.",
    "f1_macro": "F1 averaged over the classes, each counting the same.",
    "pr_auc": "Area under each class's precision-recall curve (trapezoid rule), averaged over the classes.",
    "average_precision_macro": "Step-wise area under the same curves, averaged over the classes.",
    "auroc_macro": "Area under each class's receiver operating characteristic, averaged over the classes.",
}
assert set(MEANINGS) == set(OVERALL)


def title(metric: str) -> str:
    """A metric's name in tables."""
    measure, _, subtype = metric.partition(":")
    return (TITLES | OF_A_CLASS).get(measure, measure) + (f" of {subtype}" if subtype else "")


def several(count: int, one: str, many: str | None = None) -> str:
    """`1 fold`, `5 folds`, `1,540 images`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(names: list[str], most: int = 6) -> str:
    """`a, b and c`; the tail of a long list is counted."""
    shown = names if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""


def metric_column(metric: str) -> Column:
    """The column of a metric, in per cent."""
    return Column(title(metric), MEANINGS.get(metric, ""), numeric=True)


def summary_cell(summary: FoldSummary | None, *, best: bool = False) -> Cell:
    """Mean and spread over folds; it says where folds had no value, and how far seeds lie apart."""
    if summary is None:
        return Cell(NONE)
    note = f"undefined in {several(summary.undefined, 'run')}" if summary.undefined else ""
    return Cell(with_sd(summary), order=summary.mean, best=best, note=note)


def best_rows(rows: Sequence[Row], value: Callable[[Row], float | None]) -> set[str]:
    """Keys of the best rows on each state of the data, by the rule of the report's tables."""
    return {key for part in parts_of(rows) for key in best_of(part, value)}


def mean_of(summary: FoldSummary | None) -> float | None:
    """Over folds, where there is one."""
    return None if summary is None else summary.mean


def anchor(configuration: Configuration) -> str:
    """The id of a configuration's details on the page."""
    return f"configuration-{configuration.key}"
