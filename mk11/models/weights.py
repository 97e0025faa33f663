"""Starting a network from weights: every tensor of the encoder must find its place, and a report says so."""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import timm
import torch
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from mk11.errors import UserError
from mk11.models.checkpoints import read_state_dict
from mk11.models.hub import imagenet_file, imagenet_tag
from mk11.models.lite0 import is_lite0, rename_lite0

HASH_DIGITS = 16
NAMES_SHOWN = 4


@dataclass(frozen=True)
class WeightsReport:
    """What became of each tensor. Names are the network's own, except in ``unexpected``."""

    matched: tuple[str, ...]  # loaded
    missing: tuple[str, ...]  # encoder tensors that the file lacks or has in another shape
    unexpected: tuple[str, ...]  # in the file, without a place in the network
    replaced: tuple[str, ...]  # head tensors that start fresh: absent, or of another number of classes
    source: str
    content_hash: str | None

    def sentence(self) -> str:
        """One line for the log."""
        head = "a fresh head" if self.replaced else "the file's head"
        return (
            f"{self.source}: {len(self.matched)} tensors matched,"
            f" {len(self.missing)} missing{_named(self.missing)},"
            f" {len(self.unexpected)} unexpected{_named(self.unexpected)}, {head}"
        )


def weights_hash(weights: str, *, architecture: str) -> str | None:
    """What ``weights`` names, for a run's identity: a file's content hash, or timm's name of weights."""
    if weights == "none":
        return None
    if weights == "imagenet":
        config = timm.get_pretrained_cfg(architecture)
        if config is None:
            raise UserError(f"model.architecture must have ImageNet weights in timm, but is {architecture}")
        return imagenet_tag(vars(config))
    path = locate_weights(weights, architecture=architecture)
    assert path is not None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:HASH_DIGITS]


def locate_weights(weights: str, *, architecture: str) -> Path | None:
    """Where the file of ``weights`` lies, fetched if need be; None for ``none``. A UserError within 10 s."""
    if weights == "none" or not timm.is_model(architecture.split(".")[0]):
        return None  # an unknown architecture is told where the network is made
    if weights == "imagenet":
        with torch.device("meta"):  # only its description is needed
            return imagenet_file(cast(Any, timm.create_model(architecture)).pretrained_cfg)
    path = Path(weights).expanduser()
    if not path.is_file():
        raise UserError(f"model.weights must be none, imagenet or a file, but there is no file {path}")
    return path


def load_weights(network: nn.Module, source: str, *, allow_partial: bool) -> WeightsReport:
    """Fill a timm network from ``source``: ``imagenet`` or a path (see `mk11.models.checkpoints`).

    The head is loaded when its size fits and starts fresh when not; a ViT's position embedding is resized to
    the network's grid. A UserError unless the whole encoder is matched, or ``allow_partial``.
    """
    config = cast(Mapping[str, Any], network.pretrained_cfg)
    path = imagenet_file(config) if source == "imagenet" else Path(source).expanduser()
    state = _fitted(read_state_dict(path), network, architecture=config["architecture"])
    content_hash = weights_hash(source, architecture=imagenet_tag(config))
    report = _compare(network, state, source=source, content_hash=content_hash)
    _refuse_misfit(report, network, state, allow_partial=allow_partial)
    network.load_state_dict({name: state[name] for name in report.matched}, strict=False)
    return report


def _fitted(state: dict[str, Tensor], network: nn.Module, *, architecture: str) -> dict[str, Tensor]:
    """The file's tensors under this network's names, position embedding in this network's grid."""
    if is_lite0(state):
        return rename_lite0(state, architecture=architecture)
    if not state.keys() >= dict(network.named_parameters()).keys():
        state = _as_timm_renames(state, network)
    return _with_resized_position_embedding(state, network)


def _as_timm_renames(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Rename as timm does for files as first published (torchvision's VGG, the authors' ConvNeXt)."""
    family = sys.modules[type(network).__module__]
    try:
        if hasattr(family, "checkpoint_filter_fn"):
            return cast("dict[str, Tensor]", family.checkpoint_filter_fn(state, network))
        if hasattr(family, "_filter_fn"):
            return cast("dict[str, Tensor]", family._filter_fn(state))
    except (KeyError, RuntimeError):  # another family's file: the comparison of names will tell
        pass
    return state


def _with_resized_position_embedding(state: dict[str, Tensor], network: Any) -> dict[str, Tensor]:  # noqa: ANN401
    """(1, tokens, dim) of the file -> the network's tokens, bicubic over the grid, class token kept."""
    old, new = state.get("pos_embed"), getattr(network, "pos_embed", None)
    if old is None or new is None or old.shape == new.shape or old.shape[-1] != new.shape[-1]:
        return state
    tokens = 0 if network.no_embed_class else network.num_prefix_tokens
    grid = list(network.patch_embed.grid_size)
    return state | {"pos_embed": resample_abs_pos_embed(old, new_size=grid, num_prefix_tokens=tokens)}


def _compare(
    network: nn.Module, state: dict[str, Tensor], *, source: str, content_hash: str | None
) -> WeightsReport:
    own = network.state_dict()
    fits = {name for name, tensor in own.items() if name in state and state[name].shape == tensor.shape}
    head = _head_names(network)
    if not head <= fits:
        fits -= head
    # Files written before torch 0.4.1 have no batch counters, and nothing here reads them.
    encoder = {name for name in own if not name.endswith("num_batches_tracked")} - head
    return WeightsReport(
        matched=tuple(name for name in own if name in fits),
        missing=tuple(name for name in own if name in encoder - fits),
        unexpected=tuple(name for name in state if name not in own),
        replaced=tuple(name for name in own if name in head - fits),
        source=source,
        content_hash=content_hash,
    )


def _head_names(network: nn.Module) -> set[str]:
    classifier = cast(Any, network).get_classifier()
    parameters = {id(parameter) for parameter in classifier.parameters()}
    return {name for name, parameter in network.named_parameters() if id(parameter) in parameters}


def _refuse_misfit(
    report: WeightsReport, network: nn.Module, state: dict[str, Tensor], *, allow_partial: bool
) -> None:
    """Raise a UserError for another architecture's file, for gaps, and for layers without a place."""
    architecture = cast(Mapping[str, Any], network.pretrained_cfg)["architecture"]
    if not report.matched:
        raise UserError(
            f"model.weights={report.source} must be weights of {architecture}, but none of its tensors fits"
            f" (its first: {', '.join(list(state)[:NAMES_SHOWN])})"
        )
    # A deeper network's file fills a shallower one completely; only its surplus layers give it away. What
    # lies beside the network (a decoder, a projector) is reported, no more.
    parts = {name.split(".")[0] for name in network.state_dict()}
    surplus = tuple(name for name in report.unexpected if name.split(".")[0] in parts)
    if allow_partial or not (report.missing or surplus):
        return
    raise UserError(
        f"model.weights={report.source} must fill the whole encoder of {architecture}, but"
        f" {len(report.missing)} of its tensors are missing or of another shape{_named(report.missing)} and"
        f" {len(surplus)} in the file have no place{_named(surplus)};"
        f" model.allow_partial=true starts from the {len(report.matched)} that fit"
    )


def _named(names: tuple[str, ...]) -> str:
    more = ", ..." if len(names) > NAMES_SHOWN else ""
    return f" ({', '.join(names[:NAMES_SHOWN])}{more})" if names else ""
