"""Where a network's starting weights come from, and what they have already seen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from torch import nn

from mk11.models.checkpoints import read_provenance
from mk11.models.matching import WeightsReport
from mk11.runs.folder import RunFolder

# Marks of encoders: pre-training images that may be of held-out patients; a last check that looked collapsed;
# a configuration that a search chose by the folds' labels.
TRANSDUCTIVE, COLLAPSE, TUNED = "transductive", "collapse", "tuned"
NO_FILES = ("none", "imagenet")


def weights_report(network: nn.Module) -> WeightsReport | None:
    """What became of each tensor of the starting weights; None for `weights=none`."""
    return cast(WeightsReport | None, network.weights_report)


def renew_foreign_head(network: nn.Module, weights: str, classes: Sequence[str]) -> None:
    """Draw the head anew where the weights' head is for as many but other classes."""
    theirs = provenance(weights).get("classes")
    if theirs is not None and list(theirs) != list(classes):
        cast(Any, network).reset_classifier(len(classes))


def inherited_marks(weights: str) -> dict[str, list[str]]:
    """What every table of a network that starts from these weights must show.

    A search that met a finished pre-training later is noted in the run's record alone.
    """
    if weights in NO_FILES:
        return {}
    marks = dict(provenance(weights).get("marks") or {})
    record = RunFolder(Path(weights).expanduser().parent).read()
    search = record.get("tuned") if record.get("stage") == "pretrain" else None
    told = marks.get(TUNED, [])
    return {**marks, TUNED: [*told, tuned_by(search)]} if search and tuned_by(search) not in told else marks


def tuned_by(search: object) -> str:
    """The mark of an encoder that a search has chosen by its scores on these folds' validation splits."""
    return f"the encoder was chosen by {search} on the same folds"


def provenance(weights: str) -> dict[str, Any]:
    """What `model.weights` says of itself; empty unless this project wrote it, at any stage."""
    return {} if weights in NO_FILES else read_provenance(Path(weights).expanduser())


def fields_behind(weights: str) -> list[str]:
    """Fingerprints of the fields whose regions an encoder was pre-trained on; empty where it was not."""
    selections = (provenance(weights).get("pool") or {}).get("selections") or ()
    return sorted({told["fields"]["fingerprint"] for told in selections if told.get("fields")})
