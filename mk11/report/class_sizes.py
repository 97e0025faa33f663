"""How many images each class has, of rows on one state of the data: what head, medium and tail are cut by."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from mk11.runs.configurations import Configuration
from mk11.runs.ledger import FINAL, Run

TRAINING, TEST = "training images", "test images"
TITLES = {TRAINING: "Training images of the class, mean over folds", TEST: "Test images of the class"}


@dataclass(frozen=True)
class ClassSizes:
    """Images of each class, and what is counted: `TRAINING`, a mean over folds, or `TEST` over all folds."""

    kind: str
    images: Mapping[str, float]


def class_sizes(configurations: Sequence[Configuration]) -> ClassSizes | None:
    """The same for all configurations of one state of the data; None without a result on a numbered fold.

    Training images as the runs tell them. Old runs do not: there, where some configuration has all folds,
    what a class has in all test splits, less what the fold keeps for validation and test. Else, or where the
    test splits do not make up the data, test images.
    """
    configurations = [one for one in configurations if _numbered(one)]
    for count in (_told, _counted_out):
        for one in sorted(configurations, key=lambda one: -len(_numbered(one))):
            found = count(one)
            if found is not None:
                return ClassSizes(TRAINING, found)
    tested = [
        ClassSizes(TEST, {k: float(n) for k, n in tested_images(one).items()}) for one in configurations
    ]
    return max(tested, key=lambda sizes: sum(sizes.images.values()), default=None)


def tested_images(configuration: Configuration) -> dict[str, int]:
    """Test images of each class, every fold counted once."""
    runs = list(_numbered(configuration).values())
    total = _supports(runs, "test", configuration.classes).sum(axis=0) if runs else ()
    return dict(zip(configuration.classes, map(int, total), strict=bool(runs)))


def _told(configuration: Configuration) -> dict[str, float] | None:
    """Training images of each class as the runs tell them: averaged over the seeds of a fold, then folds."""
    by_fold: dict[int | str, list[list[int]]] = defaultdict(list)
    for run in configuration.finished:
        counts = run.record["data"].get("train_counts") or {}
        if run.fold != FINAL and set(configuration.classes) <= set(counts):
            by_fold[run.fold].append([counts[name] for name in configuration.classes])
    if set(by_fold) != set(_numbered(configuration)):
        return None
    means = np.mean([np.mean(found, axis=0) for found in by_fold.values()], axis=0)
    return dict(zip(configuration.classes, means.tolist(), strict=True))


def _counted_out(configuration: Configuration) -> dict[str, float] | None:
    runs = _numbered(configuration)
    if set(runs) != set(configuration.expected_folds):
        return None
    val, test = (_supports(list(runs.values()), split, configuration.classes) for split in ("val", "test"))
    train = test.sum(axis=0) - test - val  # (folds, classes)
    told = [(run.record["data"].get("images") or {}).get("train") for run in runs.values()]
    if train.sum(axis=1).tolist() != told:
        return None
    return dict(zip(configuration.classes, train.mean(axis=0).tolist(), strict=True))


def _numbered(configuration: Configuration) -> dict[int | str, Run]:
    """One finished run of each numbered fold."""
    return {run.fold: run for run in configuration.finished if run.fold != FINAL}


def _supports(runs: Sequence[Run], split: str, classes: Sequence[str]) -> Int[np.ndarray, "folds classes"]:
    """Images of each class in a split of each run."""
    parts = [(run.metrics or {})[split]["per_class"] for run in runs]
    return np.array([[part[name]["support"] for name in classes] for part in parts])
