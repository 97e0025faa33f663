"""Figures and names as they are printed."""

from mk11.evaluation.statistics.summary import FoldSummary
from mk11.metrics.final import OVERALL
from mk11.report.tables.table import NONE

TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1_weighted": "F1, weighted",
    "f1_macro": "F1, macro",
    "pr_auc": "PR-AUC",
    "average_precision_macro": "Average precision",
    "auroc_macro": "AUROC",
}
assert tuple(TITLES) == OVERALL
MINUS = "−"  # noqa: RUF001  the minus sign


def per_cent(value: float | None) -> str:
    """A fraction in per cent, as the papers print it: 79.23."""
    return NONE if value is None else f"{100 * value:.2f}"


def with_sd(summary: FoldSummary | None) -> str:
    """Mean and standard deviation over folds in per cent; the mean alone below two folds."""
    if summary is None or summary.mean is None:
        return NONE
    return per_cent(summary.mean) + ("" if summary.sd is None else f" ± {per_cent(summary.sd)}")


def points(value: float | None) -> str:
    """A difference of fractions in percentage points, with its sign."""
    if value is None:
        return NONE
    told = f"{100 * value:+.2f}"
    return "0.00" if float(told) == 0 else told.replace("-", MINUS)


def decimals(summary: FoldSummary | None) -> str:
    """Mean and standard deviation of a figure that is no percentage."""
    if summary is None or summary.mean is None:
        return NONE
    return f"{summary.mean:.3f}" + ("" if summary.sd is None else f" ± {summary.sd:.3f}")


def p_value(value: float | None) -> str:
    """Three decimals, or that it is below them."""
    if value is None:
        return NONE
    return "< 0.001" if value < 0.0005 else f"{value:.3f}"
