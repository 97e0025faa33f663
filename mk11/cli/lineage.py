"""Where a network's starting weights come from, and what they have already seen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from torch import nn

from mk11.models.checkpoints import read_provenance
from mk11.models.matching import WeightsReport

TRANSDUCTIVE = "transductive"  # the mark of pre-training images that may be of held-out patients


def weights_report(network: nn.Module) -> WeightsReport | None:
    """What became of each tensor of the starting weights; None for `weights=none`."""
    return cast(WeightsReport | None, network.weights_report)


def renew_foreign_head(network: nn.Module, weights: str, classes: Sequence[str]) -> None:
    """Draw the head anew where the weights' head is for as many but other classes."""
    theirs = provenance(weights).get("classes")
    if theirs is not None and list(theirs) != list(classes):
        cast(Any, network).reset_classifier(len(classes))


def inherited_marks(weights: str) -> dict[str, list[str]]:
    """What every table of a network that starts from these weights must show."""
    return dict(provenance(weights).get("marks") or {})


def provenance(weights: str) -> dict[str, Any]:
    """What `model.weights` says of itself; empty unless this project wrote it, at any stage."""
    return {} if weights in ("none", "imagenet") else read_provenance(Path(weights).expanduser())
