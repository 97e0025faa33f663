"""An encoder by its name in timm, for comparison: random, with ImageNet weights, or with those of a file."""

from functools import partial
from pathlib import Path
from typing import Any, cast

import timm
import torch

from mk11.errors import UserError
from mk11.evaluation.probe.encoders import Encoder, Ready, made
from mk11.evaluation.probe.words import OF_ENCODER, told_as
from mk11.models.checkpoints import read_provenance
from mk11.models.matching import WeightsReport
from mk11.models.weights import locate_weights, weights_hash


@told_as(OF_ENCODER)
def encoder_of_timm(
    architecture: str,
    *,
    weights: str,
    image_size: int | None,
    class_token: bool,
    seed: int,
    home: Path | None,
) -> Encoder:
    """A timm network by name, drawn from the seed (``none``), with ImageNet weights or those of a file.

    Args:
        architecture: timm's name, one of ours included.
        weights: ``none``, ``imagenet`` or a path.
        image_size: Side of its images in px; None: the one that timm knows it by.
        class_token: Take the class token where the network would average.
        seed: Of ``none``.
        home: Where probe.json goes; None: ``runs/probe/NAME``.

    Raises:
        UserError: No such network, or no such weights.
    """
    if not timm.is_model(architecture.split(".")[0]):
        raise UserError(f"--encoder must name a network that timm knows, but is {architecture}")
    try:
        with torch.device("meta"):  # only its description is needed
            known = cast(Any, timm.create_model(architecture)).pretrained_cfg
    except RuntimeError as error:  # a name with a tag of weights that there are none of
        raise UserError(
            f"--encoder must name a network that timm knows, but is {architecture}: {error}"
        ) from error
    path = locate_weights(weights, architecture=architecture)
    about = read_provenance(path) if path is not None and weights != "imagenet" else {}
    found = weights_hash(weights, architecture=architecture) or f"none-seed{seed}"
    size = image_size or known["input_size"][-1]

    @told_as(OF_ENCODER)
    def ready(trained: bool) -> Ready:
        torch.manual_seed(seed)
        network = made(architecture, size, {}, weights if trained else "none", class_token=class_token)
        report = cast(WeightsReport | None, network.weights_report)
        mean, std = (report and report.normalisation) or (known["mean"], known["std"])
        return Ready(network, mean, std)

    return Encoder(
        name=f"{architecture}, weights {weights}",
        home=home or Path("runs/probe") / f"{architecture}-{found}",
        image_size=size,
        build=partial(ready, True),
        draw=partial(ready, False),
        hash=found,
        trained_on=frozenset(about.get("trained_on", ())),
        config=None,
        about={"source": weights, "architecture": architecture, "class_token": class_token},
    )
