"""The encoder of a run: of pre-training or its file, or of a finished training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from torch import nn

from mk11.errors import UserError
from mk11.evaluation.evaluate import load_network
from mk11.evaluation.probe.words import OF_RUN, told_as
from mk11.models.checkpoints import read_provenance
from mk11.models.classifier import create_classifier, create_encoder
from mk11.models.encoder_file import file_hash, is_safetensors, read_about
from mk11.runs.folder import RunFolder

TOLD = (
    "method",
    "architecture",
    "options",
    "epochs",
    "identity",
    "fold",
    "seed",
    "data",
    "weights",
    "commit",
)
DRAWN = ("architecture", "options", "class_token")  # of `about`, true of weights as drawn too


class Ready(NamedTuple):
    """A network with its weights, and how its images are normalised."""

    network: nn.Module
    mean: Sequence[float]
    std: Sequence[float]


@dataclass(frozen=True)
class Encoder:
    """One encoder, not made yet."""

    name: str  # in tables
    home: Path  # where probe.json goes
    image_size: int  # px
    build: Callable[[], Ready]
    draw: Callable[[], Ready]  # with weights as drawn instead
    hash: str  # of its weights
    trained_on: frozenset[str]  # content hashes; empty for weights of others, which do not say
    config: Mapping[str, Any] | None  # of the run that made it
    about: Mapping[str, Any]  # for the record


@told_as(OF_RUN)
def encoder_of(path: Path, *, class_token: bool) -> Encoder:
    """The encoder in a run folder or a file.

    Raises:
        UserError: There is none.
    """
    folder = RunFolder(path)
    if folder.encoder.is_file():
        return _of_file(folder.encoder, name=_name(path), config=_config(folder), class_token=class_token)
    if folder.best.is_file() and folder.status() == "finished":
        return _of_training(folder, class_token=class_token)
    if path.is_file() and is_safetensors(path):
        config = _config(RunFolder(path.parent)) if path.name == folder.encoder.name else None
        return _of_file(path, name=str(path), config=config, class_token=class_token)
    if path.is_file() and path.suffix == folder.encoder.suffix:
        raise UserError(f"RUN must be a whole {folder.encoder.name}, but {path} is damaged or half-written")
    raise UserError(
        f"RUN must be a finished run of pretrain.py or train.py, or an {folder.encoder.name}, but {path} is"
        " neither (--encoder takes a network of timm, --weights its file)"
    )


def untrained(encoder: Encoder, *, seed: int) -> Encoder:
    """The same network with weights as drawn: what its architecture knows before it has seen an image.

    Its probe.json goes into a folder of its own inside the encoder's.
    """

    def build() -> Ready:
        torch.manual_seed(seed)
        return encoder.draw()

    drawn = f"untrained-seed{seed}"
    return replace(
        encoder,
        name=f"{encoder.name}, {drawn}",
        home=encoder.home / drawn,
        build=build,
        hash=drawn,
        trained_on=frozenset(),
        about={"source": drawn, **{key: encoder.about.get(key) for key in DRAWN}},
    )


def _of_file(path: Path, *, name: str, config: Mapping[str, Any] | None, class_token: bool) -> Encoder:
    about = read_about(path)
    if not about:
        raise UserError(f"RUN must be a file that pretrain.py wrote, but {path} does not say what it holds")

    @told_as(OF_RUN)
    def ready(trained: bool) -> Ready:
        named = (about["architecture"], about["image_size"], about["options"])
        network = made(*named, str(path) if trained else "none", class_token=class_token)
        return Ready(network, about["mean"], about["std"])

    return Encoder(
        name=name,
        home=path.parent,
        image_size=about["image_size"],
        build=partial(ready, True),
        draw=partial(ready, False),
        hash=file_hash(path),
        trained_on=frozenset(about["trained_on"]),
        config=config,
        about={"source": str(path), **{key: about.get(key) for key in TOLD}, "class_token": class_token},
    )


def _of_training(folder: RunFolder, *, class_token: bool) -> Encoder:
    if class_token:
        raise UserError(f"--class-token is for encoders, but {folder.path} trained a head on its own pooling")
    about = read_provenance(folder.best)
    model = {key: value for key, value in about["model"].items() if not key.startswith("_")}

    @told_as(OF_RUN)
    def ready(trained: bool) -> Ready:
        network = create_classifier(**{**model, "weights": "none"}, num_classes=len(about["classes"]))
        if trained:
            load_network(network, folder.best)
        return Ready(network, model["mean"], model["std"])

    return Encoder(
        name=_name(folder.path),
        home=folder.path,
        image_size=model["image_size"],
        build=partial(ready, True),
        draw=partial(ready, False),
        hash=file_hash(folder.best),
        trained_on=frozenset(about["trained_on"]),
        config=_config(folder),
        about={
            "source": str(folder.best),
            "method": "supervised",
            "architecture": model["architecture"],
            "options": model["options"],
            "lineage": folder.read().get("lineage"),
        },
    )


def _name(path: Path) -> str:
    """The levels of a run folder that tell it from others: name, model, fold."""
    return "/".join(path.absolute().parts[-3:])


def _config(folder: RunFolder) -> Mapping[str, Any] | None:
    """The config of a run; None where there is none."""
    if not folder.config.is_file():
        return None
    try:
        content = yaml.safe_load(folder.config.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{folder.config} must be YAML as its run wrote it, but is damaged") from error
    return content if isinstance(content, dict) and isinstance(content.get("data"), dict) else None


def made(
    architecture: str, image_size: int, options: Mapping[str, Any], weights: str, *, class_token: bool
) -> nn.Module:
    """A network without a head, for features.

    Raises:
        UserError: It has no class token to read.
    """
    keys: dict[str, Any] = {"architecture": architecture, "image_size": image_size, "weights": weights}
    if not class_token:
        return create_encoder(**keys, options=options)
    refusal = f"--class-token must be left out for {architecture}, which has no class token"
    try:
        network = create_encoder(**keys, options={**options, "global_pool": "token"})
    except UserError as error:
        raise UserError(refusal if "model.options" in str(error) else str(error)) from error
    if getattr(network, "cls_token", None) is None:  # ConvMAE's first token is a patch
        raise UserError(refusal)
    return network
