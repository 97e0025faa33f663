"""The probes of one encoder on one fold: choices on validation, then the test split once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mk11.data.shots import shot_ranks
from mk11.evaluation.probe.extract import Split
from mk11.metrics.features import feature_std, rankme
from mk11.metrics.final import classification_metrics
from mk11.metrics.probes import (
    Neighbours,
    best_choice,
    centred_directions,
    class_means,
    knn_scores,
    label_metrics,
    linear_probe,
    nearest,
    prototype_scores,
)

Splits = Mapping[str, Split]


class Spread(TypedDict):
    """Mean and sample standard deviation, the latter None of a single value."""

    mean: float
    sd: float | None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the probes try, and how often they draw."""

    neighbours: tuple[int, ...]  # k of k-NN, chosen on validation
    temperature: float  # of its votes
    strengths: tuple[float, ...]  # C of the linear probe, chosen on validation
    steps: int  # most iterations of its fit
    shots: tuple[int, ...]  # labelled images of each class
    draws: int  # of those
    seed: int  # of the draws


def measure(splits: Splits, classes: Sequence[str], groups: np.ndarray, settings: Settings) -> dict[str, Any]:
    """Everything that is found on one fold, ready for JSON.

    Args:
        splits: Features and labels of train, val and test.
        classes: Class names.
        groups: Patient of each training image, "" where unknown.
        settings: What is tried.
    """
    train = splits["train"].features
    return {
        "features": {  # of the training images
            "dim": train.shape[1],
            "most": min(train.shape),  # that RankMe can be
            "rankme": float(rankme(train)),
            "std": float(feature_std(train)),
        },
        "knn": _knn(splits, classes, settings),
        "linear": _linear(splits, classes, settings),
        "prototype": _prototypes(splits, classes, groups, settings),
    }


def _knn(splits: Splits, classes: Sequence[str], settings: Settings) -> dict[str, Any]:
    train, val, test = splits["train"], splits["val"], splits["test"]
    tried = [k for k in settings.neighbours if k <= len(train.labels)] or [len(train.labels)]

    def scores(neighbours: Neighbours, k: int) -> Float[Tensor, "images classes"]:
        heat = settings.temperature
        return knn_scores(neighbours, train.labels, k=k, temperature=heat, num_classes=len(classes))

    near_val = nearest(val.features, train.features, count=max(tried))
    validation = {k: label_metrics(scores(near_val, k).argmax(1), val.labels)["f1_macro"] for k in tried}
    k = best_choice(validation)
    near_test = nearest(test.features, train.features, count=k)
    return {
        "k": k,
        "temperature": settings.temperature,
        "validation": validation,
        "val": _metrics(scores(near_val, k), val, classes),
        "test": _metrics(scores(near_test, k), test, classes),
    }


def _linear(splits: Splits, classes: Sequence[str], settings: Settings) -> dict[str, Any]:
    train, val, test = splits["train"], splits["val"], splits["test"]
    probe = linear_probe(
        train.features,
        train.labels,
        val_features=val.features,
        val_labels=val.labels,
        strengths=settings.strengths,
        steps=settings.steps,
        num_classes=len(classes),
    )
    return {
        "C": probe.strength,
        "converged": probe.converged,
        "validation": probe.validation,
        "val": _metrics(probe.scores(val.features), val, classes),
        "test": _metrics(probe.scores(test.features), test, classes),
    }


def _prototypes(
    splits: Splits, classes: Sequence[str], groups: np.ndarray, settings: Settings
) -> dict[str, Any]:
    """Nearest class means of all training images, and of a few of each class; nothing is chosen here."""
    mean = splits["train"].features.mean(dim=0)
    near = {
        name: Split(centred_directions(split.features, mean), split.labels) for name, split in splits.items()
    }
    train, test = near["train"], near["test"]
    whole = class_means(train.features, train.labels, num_classes=len(classes))
    sizes = torch.bincount(train.labels, minlength=len(classes)).tolist()
    return {
        "all": {
            name: _metrics(prototype_scores(near[name].features, whole), near[name], classes)
            for name in ("val", "test")
        },
        "few": [
            {
                "shots": shots,
                "draws": settings.draws,
                "short": [name for name, size in zip(classes, sizes, strict=True) if size < shots],
                "test": _few(train, test, groups, shots, len(classes), settings),
            }
            for shots in settings.shots
            if shots < max(sizes)  # else all images are taken, and every draw is the same
        ],
    }


def _few(
    train: Split, test: Split, groups: np.ndarray, shots: int, num_classes: int, settings: Settings
) -> dict[str, Spread]:
    """Each metric over draws."""
    found = []
    for draw in range(settings.draws):
        ranks = shot_ranks(train.labels.numpy(), groups, seed=settings.seed, draw=draw)
        taken = torch.from_numpy(ranks < shots)
        prototypes = class_means(train.features[taken], train.labels[taken], num_classes=num_classes)
        predicted = prototype_scores(test.features, prototypes).argmax(dim=1)
        found.append(label_metrics(predicted, test.labels))
    return {name: spread([one[name] for one in found]) for name in found[0]}


def spread(values: Sequence[float]) -> Spread:
    """Over draws or folds."""
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "sd": sd}


def _metrics(scores: Float[Tensor, "images classes"], split: Split, classes: Sequence[str]) -> dict[str, Any]:
    return classification_metrics(scores.numpy(), split.labels.numpy(), classes)
