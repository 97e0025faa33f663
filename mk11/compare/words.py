"""Figures and counts as a comparison prints them. Metrics are in per cent."""

from collections.abc import Sequence

from mk11.evaluation.statistics.bootstrap import Interval
from mk11.evaluation.statistics.summary import FoldSummary

GROUPS = "groups (patients, slides or fields)"


def percent(value: float | None) -> str:
    """A fraction in per cent."""
    return "-" if value is None else f"{100 * value:.2f}"


def signed(value: float | None) -> str:
    """A difference of fractions in per cent, with its sign."""
    return "-" if value is None else f"{100 * value:+.2f}"


def span(interval: Interval) -> str:
    """The ends of an interval about a difference."""
    return f"[{100 * interval.low:+.2f}, {100 * interval.high:+.2f}]"


def several(word: str, numbers: Sequence[int | str]) -> str:
    """`fold 0`, `folds 0, 1`."""
    return f"{word}{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def mean(summary: FoldSummary) -> str:
    """With its spread over folds and over seeds, where there are several."""
    spread = "" if summary.sd is None else f" ± {percent(summary.sd)} over {summary.folds} folds"
    seeds = "" if summary.seed_sd is None else f"; ± {percent(summary.seed_sd)} over seeds"
    return f"{percent(summary.mean)}{spread}{seeds}"


def resampled(interval: Interval) -> str:
    """What the bootstrap has drawn, and how often."""
    drawn = units(interval.units, interval.unit)
    told = f"{interval.level:.0%} bootstrap over {drawn}, {interval.draws} draws"
    return f"{told}; {interval.dropped} times a class had no image" if interval.dropped else told


def units(count: int, unit: str) -> str:
    """Counted in words; `unit` is group, image, or both where the groups of some images are not known."""
    if count == 1:
        return f"1 {unit}"
    return f"{count} {unit.replace('image', 'images').replace('group', GROUPS)}"


def p_value(value: float | None) -> str:
    """Three digits; what is smaller is only said to be."""
    return "-" if value is None else "below 0.001" if value < 0.001 else f"{value:.3f}"
