"""Where a network's starting weights come from, and what they have already seen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd
from torch import nn

from mk11.models.checkpoints import read_provenance
from mk11.models.weights import WeightsReport


def weights_report(network: nn.Module) -> WeightsReport | None:
    """What became of each tensor of the starting weights; None for `weights=none`."""
    return cast(WeightsReport | None, network.weights_report)


def renew_foreign_head(network: nn.Module, weights: str, classes: Sequence[str]) -> None:
    """Draw the head anew where the weights' head is for as many but other classes."""
    theirs = provenance(weights).get("classes")
    if theirs is not None and list(theirs) != list(classes):
        cast(Any, network).reset_classifier(len(classes))


def images_seen(weights: str, table: pd.DataFrame) -> set[str]:
    """Content hashes of the fold's validation and test images that the weights were trained on."""
    held_out = table.loc[table["split"] != "train", "content_hash"]
    return set(provenance(weights).get("trained_on", ())) & set(held_out)


def provenance(weights: str) -> dict[str, Any]:
    """What `model.weights` says of itself; empty unless it is a checkpoint of this project."""
    return {} if weights in ("none", "imagenet") else read_provenance(Path(weights).expanduser())
