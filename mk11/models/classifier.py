"""Classifiers of single cells, with a head for the subtypes, and encoders, without one; at any image size."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import nn

from mk11.errors import UserError
from mk11.models.building import build, check_architecture, output_shape
from mk11.models.matching import WeightsReport
from mk11.models.weights import load_weights


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
        image_size: Side of the input in pixels. A ViT gets a position embedding of that grid; timm's own pads
            with zeros to whole patches where the side is no multiple of the patch, ours refuse it.
        drop_path: Largest probability of skipping a residual branch (stochastic depth), rising linearly with
            depth; null for a family without residual branches.
        weights: ``none``, ``imagenet``, or a path: what `mk11.models.weights.load_weights` takes.
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
    check_architecture(architecture, variant)
    network = build(
        architecture, options, image_size=image_size, num_classes=num_classes, drop_path=drop_path
    )
    shape = output_shape(network, architecture, image_size=image_size)
    if shape != (1, num_classes):
        raise UserError(
            f"model.options must leave {architecture} one logit per class, shape (1, {num_classes}), but its"
            f" output is {shape}"
        )
    report = _start(network, weights, allow_partial=allow_partial)
    _warn_of_other_normalisation(report, mean, std)
    return network


def create_encoder(
    *,
    architecture: str,
    image_size: int,
    options: Mapping[str, Any],
    drop_path: float | None = None,
    grad_checkpointing: bool = False,
    weights: str = "none",
    allow_partial: bool = False,
    variant: str | int | None = None,
) -> nn.Module:
    """The network of `create_classifier` without a head, as pre-training and feature extraction use it.

    Args:
        architecture: As for `create_classifier`, like the arguments not named here.
        image_size: Likewise.
        options: Likewise.
        drop_path: Likewise; the published pre-trainings have none.
        grad_checkpointing: Keep only the blocks' inputs and compute the rest again in the backward pass.
        weights: Likewise.
        allow_partial: Likewise.
        variant: Likewise.

    Returns:
        The network, with ``network.weights_report``.

    Raises:
        UserError: As `create_classifier`, or a network that cannot save memory by computing again.
    """
    check_architecture(architecture, variant)
    network = build(architecture, options, image_size=image_size, num_classes=0, drop_path=drop_path)
    output_shape(network, architecture, image_size=image_size)
    _start(network, weights, allow_partial=allow_partial)
    if grad_checkpointing:
        _set_grad_checkpointing(network, architecture)
    return network


def _start(network: nn.Module, weights: str, *, allow_partial: bool) -> WeightsReport | None:
    report = None if weights == "none" else load_weights(network, weights, allow_partial=allow_partial)
    network.weights_report = report  # type: ignore[assignment]
    return report


def _set_grad_checkpointing(network: nn.Module, architecture: str) -> None:
    try:
        cast(Any, network).set_grad_checkpointing(True)
    except (AttributeError, AssertionError) as error:  # timm's word for "not supported"
        raise UserError(
            f"trainer.grad_checkpointing must be false for {architecture}, which cannot compute blocks again"
        ) from error


def _check_numbers(image_size: int, mean: Sequence[float], std: Sequence[float]) -> None:
    if image_size < 1:
        raise UserError(f"image_size must be at least 1 pixel, but is {image_size}")
    for key, values in (("model.mean", mean), ("model.std", std)):
        if len(values) != 3:
            raise UserError(f"{key} must have three numbers, for red, green and blue, but is {list(values)}")


def _warn_of_other_normalisation(
    report: WeightsReport | None, mean: Sequence[float], std: Sequence[float]
) -> None:
    """Weights see the colours they were trained on only under their own mean and deviation."""
    if report is None or report.normalisation in (None, (tuple(mean), tuple(std))):
        return
    expected = cast("tuple[tuple[float, ...], ...]", report.normalisation)
    named = report.content_hash if report.source == "imagenet" else report.source
    warnings.warn(
        f"{named} was trained with mean {expected[0]} and std {expected[1]}, but"
        f" model.mean is {tuple(mean)} and model.std is {tuple(std)}",
        stacklevel=3,
    )
