"""Comparisons of two configurations, in words and in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from mk11.evaluation.statistics.bootstrap import Interval
from mk11.page import Cell, Column, Table
from mk11.report.findings import Compared
from mk11.report.page.words import NONE, p_value, per_cent, plural, points, several, title

FEW = 8  # patients or images in a fold
COLUMNS = (
    Column("Comparison"),
    Column("Metric"),
    Column("Difference", "Percentage points, a minus b.", numeric=True),
    Column(
        "Interval", "Of the difference, by drawing anew the same patients or images for both.", numeric=True
    ),
    Column(
        "Detectable",
        "Smallest difference that these folds would find in four of five tries, points.",
        numeric=True,
    ),
    Column("p, bootstrap", "Paired bootstrap: the primary answer.", numeric=True),
    Column("p, corrected t", "Nadeau-Bengio: knows that folds share training images.", numeric=True),
    Column(
        "p, Holm", "The corrected t-test, adjusted over the comparisons declared in advance.", numeric=True
    ),
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
    result = one.result
    interval = result.interval
    clear = interval.low > 0 or interval.high < 0
    side = "better" if result.difference > 0 else "worse"
    verdict = f"The first is {side}" if clear else "These folds do not tell them apart"
    finding = (
        f"{title(result.metric)} {points(result.difference)} points"
        f" ({100 * interval.level:.0f} % interval {points(interval.low)} to {points(interval.high)})"
    )
    return Told(
        names=(one.a.label, one.b.label),
        verdict=verdict,
        finding=finding,
        reservations=f"{_how(interval)} {_power(one)} {_standing(one)}",
        clear=clear,
    )


def _how(interval: Interval) -> str:
    told = f"Bootstrap over {plural(interval.unit)}."
    if interval.fewest >= FEW:
        return told
    few = f"{interval.fewest} {interval.unit if interval.fewest == 1 else plural(interval.unit)}"
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
    adjusted = "" if one.p_holm is None else f"; Holm-adjusted p {p_value(one.p_holm)}"
    return f"Declared in advance ({one.family}){adjusted}."


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
            for p in (result.p_bootstrap, result.p_corrected, one.p_holm, result.p_t)
        ),
        Cell(one.family or f"{NONE} not in advance"),
    ]
