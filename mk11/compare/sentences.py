"""What a comparison has shown, and what to be careful with, in sentences."""

from mk11.compare.sides import Declared
from mk11.compare.words import percent, units
from mk11.evaluation.statistics.comparison import ALPHA, Comparison
from mk11.evaluation.statistics.verdict import verdict

FEW = 10  # groups of a fold below which their bootstrap is known to be too sure of itself


def conclusion(result: Comparison) -> str:
    """One sentence: what the interval and the test over folds have shown together."""
    shown = verdict(result, alpha=ALPHA)
    if shown == "not shown":
        return _not_shown(result)
    higher = "A" if shown == "higher" else "B"
    if result.p_corrected is None:
        return f"{higher} is higher by the interval, which leaves out 0: for the networks that were trained."
    return f"{higher} is higher: the interval leaves out 0, and the corrected test over folds agrees."


def _not_shown(result: Comparison) -> str:
    low, high = result.interval.low, result.interval.high
    if low > 0 or high < 0:
        return (
            "No difference was shown: the interval leaves out 0, but the corrected test over folds does not "
            "agree, so other training images could turn it."
        )
    told = "No difference was shown: the interval includes 0"
    if result.detectable is None:
        return f"{told}."
    return f"{told}, and one below {percent(result.detectable)} could hardly have been found."


def declaration(declared: Declared | None, metric: str) -> str:
    """Whether the comparison was chosen before its figures were seen: by this metric, not only this pair."""
    if declared is None:
        return "Not declared in advance; p-values are not adjusted for other comparisons."
    if declared.metric != metric:
        return (
            f"Not declared in advance by {metric}: analysis {declared.name} declares it by "
            f"{declared.metric}; p-values are not adjusted for other comparisons."
        )
    return (
        f"Declared in advance in analysis {declared.name}; "
        "mk11.report adjusts p over all its comparisons (Holm)."
    )


def cautions(result: Comparison) -> list[str]:
    """What keeps the interval and the tests from meaning what they say."""
    told = []
    if len(result.folds) == 1:
        told.append("One fold: nothing is said about other training images, and no t-test is possible.")
    if result.interval.fewest < FEW:
        told.append(
            f"A fold has only {units(result.interval.fewest, result.interval.unit)}: the interval is too "
            "narrow, and its p too small."
        )
    return told
