"""Numbers and names as a reader of tables expects them."""

from collections.abc import Mapping

from mk11.evaluation.statistics.summary import FoldSummary
from mk11.metrics.final import OVERALL
from mk11.page import Cell, Column
from mk11.runs.configurations import Configuration

NONE = "\N{EN DASH}"
TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1_weighted": "Weighted F1",
    "f1_macro": "Macro F1",
    "pr_auc": "PR-AUC",
    "average_precision_macro": "Average precision",
    "auroc_macro": "AUROC",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
}
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
    return TITLES.get(measure, measure) + (f" of {subtype}" if subtype else "")


def per_cent(value: float | None, digits: int = 2) -> str:
    """A fraction as a number of per cent, without the sign."""
    return NONE if value is None else f"{100 * value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def points(value: float, digits: int = 2) -> str:
    """A difference of fractions as signed percentage points."""
    return f"{100 * value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def mean_sd(summary: FoldSummary | None) -> str:
    """Mean and standard deviation over folds, per cent; the mean alone for one fold."""
    if summary is None or summary.mean is None:
        return NONE
    spread = "" if summary.sd is None else f" \N{PLUS-MINUS SIGN} {per_cent(summary.sd)}"
    return per_cent(summary.mean) + spread


def plain_number(value: float | None, digits: int = 3) -> str:
    """A number that is no percentage."""
    return NONE if value is None else f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def p_value(value: float | None) -> str:
    """A p-value, to three decimals."""
    if value is None:
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


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
    return Cell(mean_sd(summary), order=summary.mean, best=best, note=note)


def plural(unit: str) -> str:
    """`patients or images` of `patient or image`."""
    return " ".join(word if word == "or" else f"{word}s" for word in unit.split())


def best_rows(means: Mapping[str, float | None], states: Mapping[str, object]) -> set[str]:
    """Keys with the highest mean as printed, among rows on the same data, where there is a choice."""
    best = set()
    for state in set(states.values()):
        found = {
            key: per_cent(means[key]) for key in states if states[key] == state and means[key] is not None
        }
        if len(found) > 1:
            top = max(found.values(), key=float)
            best |= {key for key, text in found.items() if text == top}
    return best


def anchor(configuration: Configuration) -> str:
    """The id of a configuration's details on the page."""
    return f"configuration-{configuration.key}"
