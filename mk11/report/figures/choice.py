"""Which rows are drawn: with a hundred configurations a figure of all of them shows none."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from mk11.report.class_sizes import TITLES, class_sizes
from mk11.report.findings import Findings, Row
from mk11.report.tables.contest import contestants, parts_of
from mk11.runs.states import State, data_state


def ranked(rows: Sequence[Row], metric: str) -> list[Row]:
    """From the best mean down, first the rows that may be held against each other (as the tables judge).

    Rows without a value are last of theirs, equal ones stand in the order of their keys.
    """
    fair = {row.configuration.key for part in parts_of(rows) for row in contestants(part)}

    def rank(row: Row) -> tuple[bool, float, str]:
        summary, key = row.summaries.get(metric), row.configuration.key
        mean = None if summary is None else summary.mean
        return (key not in fair, np.inf if mean is None else -mean, key)

    return sorted(rows, key=rank)


def leading(findings: Findings, rows: Sequence[Row]) -> list[Row]:
    """What others are compared with, then these others, then the rest; each from the best primary metric."""
    baselines = {found.b.key for found in findings.compared}
    compared = {found.a.key for found in findings.compared}

    def place(row: Row) -> int:
        if row.configuration.key in baselines:
            return 0
        return 1 if row.configuration.key in compared else 2

    return sorted(ranked(rows, findings.primary), key=place)


def of_one_state(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows on one state of the data, with the same classes, so fit to be compared; most rows first."""
    states: dict[State, list[Row]] = defaultdict(list)
    for row in rows:
        states[data_state(row.configuration)].append(row)
    return sorted(states.values(), key=len, reverse=True)


def class_images(rows: Sequence[Row]) -> tuple[str, Mapping[str, float]]:
    """What is counted, and how many images each class has, of rows on one state of the data."""
    found = class_sizes([row.configuration for row in rows])
    if found is None:
        raise ValueError("rows that are drawn must have a result on a fold")
    return TITLES[found.kind], found.images
