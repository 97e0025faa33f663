"""Starting a network from weights: every tensor of the encoder must find its place, and a report says so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import timm
import torch
from torch import nn

from mk11.errors import UserError
from mk11.models.checkpoints import read_checkpoint
from mk11.models.encoder_file import file_hash
from mk11.models.fitting import fitted
from mk11.models.hub import imagenet_file, imagenet_tag
from mk11.models.matching import WeightsReport, compare, refuse_misfit
from mk11.models.official import State, recognise, split, unwrapped
from mk11.models.suitability import recognised, refuse_unsuited

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]

IMAGENET: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # of every recognised method


def weights_hash(weights: str, *, architecture: str) -> str | None:
    """What ``weights`` names, for a run's identity: a file's content hash, or timm's name of weights.

    Raises:
        UserError: No such file, or no ImageNet weights of this architecture.
    """
    if weights == "none":
        return None
    if weights == "imagenet":
        config = timm.get_pretrained_cfg(architecture)
        if config is None:
            raise UserError(f"model.architecture must have ImageNet weights in timm, but is {architecture}")
        return imagenet_tag(vars(config))
    path = locate_weights(weights, architecture=architecture)
    assert path is not None
    return file_hash(path)


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
    """Fill a network from ``source``: ``imagenet`` or a path.

    A path may be timm's, torchvision's or an official file of MAE, ConvMAE, MoCo v3, MixMIM, DeiT or DINOv2,
    whose decoder or projector is left aside; our ``encoder.safetensors``; or a checkpoint of ours. The head
    is loaded when its size fits and starts fresh when not; position tables are resized to the network's grid.

    Raises:
        UserError: Weights of another method's network; an encoder that is not matched whole, unless
            ``allow_partial``; an unsafe or damaged file.
    """
    config = cast(Mapping[str, Any], network.pretrained_cfg)
    path = imagenet_file(config) if source == "imagenet" else Path(source).expanduser()
    file = read_checkpoint(path)
    encoder, beside = _encoder_of(file.state, network)
    method = file.provenance.get("method") or recognise(file.state)
    refuse_unsuited(network, encoder, method=method, told=file.provenance, source=source)
    state = fitted(encoder, network, method=method, architecture=config["architecture"])
    report = compare(
        network,
        state,
        aside=(*beside, *file.beside),
        method=method,
        normalisation=_normalisation(source, config, method, file.provenance),
        source=source,
        content_hash=imagenet_tag(config) if source == "imagenet" else file_hash(path),
    )
    hint = recognised(encoder, method) if method else ""
    refuse_misfit(report, network, state, allow_partial=allow_partial, hint=hint)
    network.load_state_dict({name: state[name] for name in report.matched}, strict=False)
    return report


def _encoder_of(state: State, network: nn.Module) -> tuple[State, State]:
    """The encoder's tensors and those beside it; all of them, where the network's own names say so.

    timm has networks whose layers are called what wrappers and encoders are called elsewhere (VOLO: network).
    """
    own, (encoder, beside) = dict(network.named_parameters()).keys(), split(state)
    whole = max(unwrapped(state), key=lambda names: len(own & names.keys()))
    return (whole, {}) if len(own & whole.keys()) > len(own & encoder.keys()) else (encoder, beside)


def _normalisation(
    source: str, config: Mapping[str, Any], method: str | None, told: Mapping[str, Any]
) -> Normalisation | None:
    """Mean and deviation of the images that the weights were trained on, where they are known."""
    if source == "imagenet":
        return tuple(config["mean"]), tuple(config["std"])
    model = told.get("model") if isinstance(told.get("model"), dict) else told
    if model and {"mean", "std"} <= model.keys():
        return tuple(model["mean"]), tuple(model["std"])
    return IMAGENET if method else None
