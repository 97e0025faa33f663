"""The stored predictions of one configuration, a set for each fold, aligned over seeds and configurations."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from mk11.errors import UserError
from mk11.evaluation.predictions import probability_columns, read_predictions
from mk11.runs.configurations import Configuration
from mk11.runs.ledger import FINAL, Run


@dataclass(frozen=True)
class FoldPredictions:
    """One fold's predictions by the networks of each seed, on the same images in the same order."""

    fold: int | str
    seeds: tuple[int, ...]
    probabilities: Float[np.ndarray, "seeds images classes"]
    labels: Int[np.ndarray, " images"]
    groups: np.ndarray  # patient, slide or field of each image, "" where unknown
    ids: np.ndarray
    classes: tuple[str, ...]
    train_images: int
    name: str = ""  # of the configuration, for messages
    contents: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=str))  # hashes, where known


def load_folds(
    configuration: Configuration, *, split: str = "test", checkpoint: str = "best"
) -> list[FoldPredictions]:
    """Predictions of the finished runs of the numbered folds, in their order.

    A run on `fold=final` is tested on images locked away from all folds: it is no fold more (`load_final`).

    Raises:
        UserError: A run's predictions are missing or damaged, or the seeds of a fold differ in their images.
    """
    runs = [run for run in configuration.finished if run.fold != FINAL]
    return _load(configuration.label, runs, split=split, checkpoint=checkpoint)


def load_final(
    configuration: Configuration, *, split: str = "test", checkpoint: str = "best"
) -> FoldPredictions | None:
    """Predictions on the images locked away from all folds, if a run on `fold=final` has finished."""
    runs = [run for run in configuration.finished if run.fold == FINAL]
    found = _load(configuration.label, runs, split=split, checkpoint=checkpoint)
    return found[0] if found else None


def _load(label: str, runs: Iterable[Run], *, split: str, checkpoint: str) -> list[FoldPredictions]:
    by_fold: dict[int | str, list[Run]] = defaultdict(list)
    for run in runs:
        by_fold[run.fold].append(run)
    return [
        _together(label, [_one(label, run, split=split, checkpoint=checkpoint) for run in found])
        for found in by_fold.values()
    ]


def _one(label: str, run: Run, *, split: str, checkpoint: str) -> FoldPredictions:
    path = run.folder.predictions
    table, classes = read_predictions(path)
    table = table[(table["split"] == split) & (table["checkpoint"] == checkpoint)]
    if table.empty:
        raise UserError(f"{path} must have predictions of {checkpoint} on {split}, but has none")
    train_images = run.record["data"].get("images", {}).get("train")
    if not train_images:
        raise UserError(f"{run.folder.record} must say how many images data.images.train is, but does not")
    table = table.sort_values(["content_hash", "id"])
    return FoldPredictions(
        fold=run.fold,
        seeds=(run.seed,),
        probabilities=table[probability_columns(classes)].to_numpy(np.float32)[None],
        labels=table["label"].to_numpy(np.int64),
        groups=table["group"].fillna("").to_numpy().astype(str),
        ids=table["id"].to_numpy().astype(str),
        classes=classes,
        train_images=int(train_images),
        name=label,
        contents=table["content_hash"].to_numpy().astype(str),
    )


def _together(label: str, parts: Sequence[FoldPredictions]) -> FoldPredictions:
    """One set out of those of single seeds."""
    first = parts[0]
    for part in parts[1:]:
        reason = difference(first, part)
        if reason:
            raise UserError(
                f"the seeds of a fold must be tested on the same images, but in fold {first.fold} of {label} "
                f"with seeds {first.seeds[0]} and {part.seeds[0]} {reason}"
            )
    return FoldPredictions(
        **{
            **vars(first),
            "seeds": tuple(seed for part in parts for seed in part.seeds),
            "probabilities": np.concatenate([part.probabilities for part in parts]),
        }
    )


def difference(one: FoldPredictions, other: FoldPredictions) -> str | None:
    """In what the images of two sets differ, in words; None if they are the same."""
    if one.classes != other.classes:
        apart = set(one.classes) ^ set(other.classes)
        return f"the classes differ ({', '.join(sorted(apart)) or 'in their order'})"
    apart = set(one.ids.tolist()) ^ set(other.ids.tolist())
    if apart:
        return f"{len(apart)} images are on one side only, such as {min(apart)}"
    if one.contents.size and other.contents.size and not np.array_equal(one.contents, other.contents):
        return "images of the same name differ in content"
    if not np.array_equal(one.ids, other.ids):
        return "the order of the images differs"
    if not np.array_equal(one.labels, other.labels):
        changed = one.ids[one.labels != other.labels]
        return f"the labels of {len(changed)} images differ, such as {changed[0]}"
    return None if np.array_equal(one.groups, other.groups) else "the images' groups differ"
