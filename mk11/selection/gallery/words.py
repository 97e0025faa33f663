"""Words and numbers as the page tells them."""

import math

SELECTED, UNSELECTED, DROPPED, MISSED, MARKED = "selected", "unselected", "dropped", "missed", "marked"
STATES = {
    SELECTED: "selected",
    UNSELECTED: "kept by the filter but not selected",
    DROPPED: "dropped by the filter",
    MISSED: "missed by the filter",
    MARKED: "marked as a cell",
}


def number(value: float) -> str:
    """Four figures, so that both sides of a threshold can be told apart; "" of a number that is none."""
    return f"{value:,.{_decimals(abs(value))}f}" if math.isfinite(value) else ""


def share(part: float, whole: float) -> str:
    """`12 %`; "" of nothing."""
    return percent(part / whole) if whole else ""


def percent(fraction: float) -> str:
    """`12 %`, and `<1 %` or `>99 %` rather than a rounded 0 or 100; "" of a number that is none."""
    if not math.isfinite(fraction):
        return ""
    space = "\N{NO-BREAK SPACE}"
    if 0 < fraction < 0.01:
        return f"<1{space}%"
    return f">99{space}%" if 0.99 < fraction < 1 else f"{100 * fraction:.0f}{space}%"


def several(count: int, noun: str) -> str:
    """`1 field`, `2 fields`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def of_prototype(number: int) -> str:
    """Name of a prototype."""
    return f"prototype {number}" if number >= 0 else "no prototype"


def _decimals(size: float) -> int:
    return 0 if not size else 1 if size >= 100 else 2 if size >= 10 else 3 if size >= 1 else 4
