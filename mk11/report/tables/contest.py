"""Which rows may be held against each other, and which is best: like with like."""

from collections.abc import Callable, Sequence

from mk11.report.findings import Row
from mk11.runs.states import State, data_state


def parts_of(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows on the same state of the data, in order of first appearance."""
    found: dict[State, list[Row]] = {}
    for row in rows:
        found.setdefault(data_state(row.configuration), []).append(row)
    return list(found.values())


def contestants(part: Sequence[Row]) -> list[Row]:
    """Rows with every fold that the part has, and with no mark that the others do not share."""
    every = {fold for row in part for fold in row.folds}
    complete = [row for row in part if set(row.folds) == every]
    shared = set.intersection(*(set(row.marks) for row in complete)) if complete else set()
    return [row for row in complete if set(row.marks) == shared]


def best_of(part: Sequence[Row], value: Callable[[Row], float | None], *, highest: bool = True) -> set[str]:
    """Keys of the best rows as printed, with two decimals of per cent; none where nothing competes."""
    found = {row.configuration.key: value(row) for row in contestants(part)}
    printed = {key: round(100 * told, 2) for key, told in found.items() if told is not None}
    if len(printed) < 2:
        return set()
    best = max(printed.values()) if highest else min(printed.values())
    return {key for key, told in printed.items() if told == best}
