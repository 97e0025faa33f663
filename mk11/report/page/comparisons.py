"""Comparisons of two configurations, in words and in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from mk11.evaluation.statistics.bootstrap import Interval
from mk11.evaluation.statistics.patients import in_words
from mk11.evaluation.statistics.verdict import verdict
from mk11.page import Cell, Column, Table
from mk11.report.findings import Compared
from mk11.report.page.words import several, title
from mk11.report.tables.words import NONE, p_value, per_cent, points

FEW = 8  # groups or images in a fold
NOT_SHOWN = "No difference was shown"
NOT_ADJUSTED = "No difference was shown, once all declared comparisons are counted"
ADJUSTED = "Adjusted over the comparisons declared in advance."
COLUMNS = (
    Column("Comparison"),
    Column("Metric"),
    Column("Difference", "Percentage points, a minus b.", numeric=True),
    Column(
        "Interval", "Of the difference, by drawing anew the same groups or images for both.", numeric=True
    ),
    Column(
        "Detectable",
        "Smallest difference that these folds would find in four of five tries, points.",
        numeric=True,
    ),
    Column("p, bootstrap", "Paired bootstrap: the primary answer.", numeric=True),
    Column("p, bootstrap, Holm", ADJUSTED, numeric=True),
    Column("p, corrected t", "Nadeau-Bengio: knows that folds share training images.", numeric=True),
    Column("p, corrected t, Holm", ADJUSTED, numeric=True),
    Column("p, paired t", "As the papers test; too small, since folds share training images.", numeric=True),
    Column("Declared"),
)


@dataclass(frozen=True)
class Told:
    """A comparison as sentences: who, by how much, and what to make of it."""

    names: tuple[str, str]
    verdict: str
    finding: str
    reservations: str
    clear: bool


def told(compared: Sequence[Compared]) -> list[Told]:
    """Every comparison in words, those declared in advance first."""
    return [_told(one) for one in _in_order(compared)]


def numbers(compared: Sequence[Compared]) -> Table:
    """The same as a table."""
    caption = "Paired over the same images of the same folds. Differences in percentage points."
    return Table("comparisons", caption, COLUMNS, [_row(one) for one in _in_order(compared)])


def _in_order(compared: Sequence[Compared]) -> list[Compared]:
    return sorted(compared, key=lambda one: one.family is None)


def _told(one: Compared) -> Told:
    result, interval = one.result, one.result.interval
    verdict_words, clear = _verdict(one)
    finding = (
        f"{title(result.metric)} {points(result.difference)} points"
        f" ({100 * interval.level:g} % interval {points(interval.low)} to {points(interval.high)})"
    )
    return Told(
        names=(one.a.label, one.b.label),
        verdict=verdict_words,
        finding=finding,
        reservations=f"{_how(interval)} {_power(one)} {_standing(one)}",
        clear=clear,
    )


def _verdict(one: Compared) -> tuple[str, bool]:
    """In words, and whether a difference was shown; a declared one must hold after Holm's adjustment too."""
    alpha = 1 - one.result.interval.level
    found = verdict(one.result, alpha=alpha)
    if found == "not shown":
        return NOT_SHOWN, False
    if any(p is not None and p >= alpha for p in (one.p_holm_bootstrap, one.p_holm)):
        return NOT_ADJUSTED, False
    return f"The first is {'better' if found == 'higher' else 'worse'}", True


def _how(interval: Interval) -> str:
    told = f"Bootstrap over {in_words(interval.unit)}."
    if interval.fewest >= FEW:
        return told
    few = several(interval.fewest, interval.unit, "of these")
    return f"{told} With only {few} in the smallest fold the interval is rough."


def _power(one: Compared) -> str:
    folds = several(len(one.result.folds), "fold")
    if one.result.detectable is None:
        return f"How small a difference could have been detected cannot be told from {folds}."
    least = per_cent(one.result.detectable)
    return f"The smallest difference that these {folds} could have detected is {least} points."


def _standing(one: Compared) -> str:
    if one.family is None:
        return "Not declared in advance: take it as a hint, not as a test."
    adjusted = {"bootstrap": one.p_holm_bootstrap, "corrected t-test": one.p_holm}
    known = [f"{p_value(p)} ({name})" for name, p in adjusted.items() if p is not None]
    told = f"; Holm-adjusted p {' and '.join(known)}" if known else ""
    return f"Declared in advance ({one.family}){told}."


def _row(one: Compared) -> list[Cell]:
    result = one.result
    return [
        Cell(f"{one.a.label} \N{MINUS SIGN} {one.b.label}"),
        Cell(title(result.metric)),
        Cell(points(result.difference), order=result.difference),
        Cell(f"{points(result.interval.low)} to {points(result.interval.high)}", order=result.interval.low),
        Cell(per_cent(result.detectable), order=result.detectable),
        *(
            Cell(p_value(p), order=p)
            for p in (
                result.p_bootstrap,
                one.p_holm_bootstrap,
                result.p_corrected,
                one.p_holm,
                result.p_t,
            )
        ),
        Cell(one.family or f"{NONE} not in advance"),
    ]
