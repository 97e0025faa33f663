"""Classifiers of single cells: a timm network with a head for the subtypes, at any image size."""

import difflib
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, cast

import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.func import functional_call

from mk11.errors import UserError
from mk11.models.hub import imagenet_tag
from mk11.models.weights import WeightsReport, load_weights


def create_classifier(
    *,
    architecture: str,
    num_classes: int,
    image_size: int,
    drop_path: float | None,
    weights: str,
    allow_partial: bool,
    options: Mapping[str, Any],
    mean: Sequence[float],
    std: Sequence[float],
    variant: str | int | None = None,
) -> nn.Module:
    """A timm network that maps (batch, 3, image_size, image_size) to logits (batch, num_classes).

    Args:
        architecture: timm's name, if need be with the tag of its weights: ``convnext_tiny.fb_in1k``.
        num_classes: Subtypes, that is outputs of the head.
        image_size: Side of the input in pixels. A ViT gets a position embedding of that grid, and pads with
            zeros to whole patches where the side is no multiple of the patch.
        drop_path: Largest probability of skipping a residual branch (stochastic depth), rising linearly with
            depth; null for a family without residual branches.
        weights: ``none``, ``imagenet``, or the path of a checkpoint, safetensors file or timm state dict.
        allow_partial: Start even from weights that fill the encoder in part only.
        options: Further arguments of the timm network.
        mean: Per-channel mean the images are normalised with; used by the transforms, only checked here.
        std: Per-channel standard deviation, likewise.
        variant: The part of ``architecture`` that the config composes the name from.

    Returns:
        The network, with ``network.weights_report``: a `WeightsReport`, or None for ``weights=none``.

    Raises:
        UserError: An unknown architecture, an option or image size it cannot take, weights that do not fit.
    """
    _check_numbers(image_size, mean, std)
    _check_architecture(architecture, variant)
    options = dict(options) | ({} if drop_path is None else {"drop_path_rate": drop_path})
    options |= _position_options(architecture, options, image_size=image_size, num_classes=num_classes)
    network = _build(architecture, options, num_classes)
    _check_logits(network, architecture, image_size=image_size, num_classes=num_classes)
    report = None if weights == "none" else load_weights(network, weights, allow_partial=allow_partial)
    _warn_of_other_normalisation(network, report, mean, std)
    network.weights_report = report  # type: ignore[assignment]
    return network


def _check_numbers(image_size: int, mean: Sequence[float], std: Sequence[float]) -> None:
    if image_size < 1:
        raise UserError(f"image_size must be at least 1 pixel, but is {image_size}")
    for key, values in (("model.mean", mean), ("model.std", std)):
        if len(values) != 3:
            raise UserError(f"{key} must have three numbers, for red, green and blue, but is {list(values)}")


def _check_architecture(architecture: str, variant: str | int | None) -> None:
    family, _, tag = architecture.partition(".")
    tagged = timm.list_pretrained(f"{family}.*") if tag else []
    if timm.is_model(family) and (not tag or architecture in tagged):
        return
    near = tagged or difflib.get_close_matches(family, timm.list_models(), n=3)
    hint = f" (such as {', '.join(near[:3])})" if near else ""
    key = (
        "model.architecture"
        if variant is None
        else "model.variant must be one of its family: the architecture"
    )
    raise UserError(f"{key} must name a network that timm knows{hint}, but is {architecture}")


def _position_options(
    architecture: str, options: dict[str, Any], *, image_size: int, num_classes: int
) -> dict[str, Any]:
    """What a ViT must be told of the image size; nothing for a network without position embedding."""
    with torch.device("meta"):  # shapes alone: no memory, and no random number drawn
        sketch = _build(architecture, options, num_classes)
    if not isinstance(sketch, VisionTransformer):
        return {}
    patch = max(sketch.patch_embed.patch_size)
    if image_size % patch == 0:
        return {"img_size": image_size}
    whole = math.ceil(image_size / patch) * patch
    return {"img_size": whole, "dynamic_img_size": True, "dynamic_img_pad": True}


def _build(architecture: str, options: dict[str, Any], num_classes: int) -> nn.Module:
    try:
        return timm.create_model(architecture, pretrained=False, num_classes=num_classes, **options)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        if "drop_path_rate" in str(error):
            raise UserError(
                f"model.drop_path must be null for {architecture}, which has no residual branches to drop,"
                f" but is {options['drop_path_rate']}"
            ) from error
        raise UserError(
            f"model.options must be arguments that timm's {architecture} takes, but with {options}: {error}"
        ) from error


def _check_logits(network: nn.Module, architecture: str, *, image_size: int, num_classes: int) -> None:
    """Send one image through, shapes alone: on the meta device, in milliseconds, with no random number."""
    state = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    shapes = {name: tensor.to("meta") for name, tensor in state.items()}
    image = torch.empty(1, 3, image_size, image_size, device="meta")
    network.eval()
    try:
        with torch.no_grad():
            logits = functional_call(network, shapes, (image,))
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"image_size and model.options must suit {architecture}, but {image_size} px do not pass: {error}"
        ) from error
    finally:
        network.train()
    if logits.shape != (1, num_classes):
        raise UserError(
            f"model.options must leave {architecture} one logit per class, shape (1, {num_classes}), but its"
            f" output is {tuple(logits.shape)}"
        )


def _warn_of_other_normalisation(
    network: nn.Module, report: WeightsReport | None, mean: Sequence[float], std: Sequence[float]
) -> None:
    """Published weights see the colours they were trained on only under their own mean and deviation."""
    config = cast(Mapping[str, Any], network.pretrained_cfg)
    expected = (tuple(config["mean"]), tuple(config["std"]))
    if report is not None and report.source == "imagenet" and expected != (tuple(mean), tuple(std)):
        warnings.warn(
            f"{imagenet_tag(config)} was trained with mean {expected[0]} and std {expected[1]}, but"
            f" model.mean is {tuple(mean)} and model.std is {tuple(std)}",
            stacklevel=3,
        )
