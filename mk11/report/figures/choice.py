"""Which rows are drawn: with a hundred configurations a figure of all of them shows none."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from mk11.evaluation.statistics.sets import FINAL
from mk11.report.findings import Findings, Row
from mk11.report.states import State, data_state
from mk11.runs.ledger import Run


def ranked(rows: Sequence[Row], metric: str) -> list[Row]:
    """From the best mean down; rows without a value last, equal ones in the order of their keys."""

    def rank(row: Row) -> tuple[float, str]:
        summary = row.summaries.get(metric)
        mean = None if summary is None else summary.mean
        return (np.inf if mean is None else -mean, row.configuration.key)

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
    """What is counted, and how many images each class has, of rows on one state of the data.

    Training images where some row has all folds: what a class has in all test splits, less what the fold
    keeps for validation and test, averaged over folds. Else, or where the test splits do not make up the
    data, test images.
    """
    for row in rows:
        found = _training_images(row)
        if found is not None:
            return "Training images of the class, mean over folds", found
    largest = max(rows, key=lambda row: sum(row.supports.values()))
    return "Test images of the class", {name: float(n) for name, n in largest.supports.items()}


def _training_images(row: Row) -> dict[str, float] | None:
    runs = {run.fold: run for run in row.configuration.finished if run.fold != FINAL}
    if set(runs) != set(row.configuration.expected_folds):
        return None
    val, test = (
        _supports(list(runs.values()), split, row.configuration.classes) for split in ("val", "test")
    )
    train = test.sum(axis=0) - test - val  # (folds, classes)
    told = [run.record["data"].get("images", {}).get("train") for run in runs.values()]
    if train.sum(axis=1).tolist() != told:
        return None
    return dict(zip(row.configuration.classes, train.mean(axis=0).tolist(), strict=True))


def _supports(runs: Sequence[Run], split: str, classes: Sequence[str]) -> Int[np.ndarray, "folds classes"]:
    """Images of each class in a split of each run."""
    parts = [(run.metrics or {})[split]["per_class"] for run in runs]
    return np.array([[part[name]["support"] for name in classes] for part in parts])
