"""Networks from timm's registry, ours included, made for one image size."""

import difflib
import math
from collections.abc import Mapping
from typing import Any

import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.func import functional_call

from mk11.errors import UserError


def check_architecture(architecture: str, variant: str | int | None) -> None:
    """A UserError for a name that timm does not know, with names that are near."""
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


def build(
    architecture: str,
    options: Mapping[str, Any],
    *,
    image_size: int,
    num_classes: int,
    drop_path: float | None,
) -> nn.Module:
    """A network of random weights for one image size; a UserError for what it cannot take.

    Args:
        architecture: timm's name.
        options: Further arguments of the network.
        image_size: Side of the input in pixels.
        num_classes: Outputs of the head; 0 = no head.
        drop_path: Largest probability of skipping a residual branch; None for the network's own.
    """
    options = dict(options) | ({} if drop_path is None else {"drop_path_rate": drop_path})
    options |= _position_options(architecture, options, image_size=image_size, num_classes=num_classes)
    return _made(architecture, options, num_classes)


def _position_options(
    architecture: str, options: dict[str, Any], *, image_size: int, num_classes: int
) -> dict[str, Any]:
    """What a network must be told of the image size: ours always, timm's if it is a ViT."""
    if timm.models.model_entrypoint(architecture.split(".")[0]).__module__.startswith("mk11."):
        return {"img_size": image_size}
    with torch.device("meta"):  # shapes alone: no memory, and no random number drawn
        sketch = _made(architecture, options, num_classes)
    if not isinstance(sketch, VisionTransformer):
        return {}
    patch = max(sketch.patch_embed.patch_size)
    if image_size % patch == 0:
        return {"img_size": image_size}
    whole = math.ceil(image_size / patch) * patch
    return {"img_size": whole, "dynamic_img_size": True, "dynamic_img_pad": True}


def _made(architecture: str, options: dict[str, Any], num_classes: int) -> nn.Module:
    try:
        return timm.create_model(architecture, pretrained=False, num_classes=num_classes, **options)
    except (TypeError, ValueError, ArithmeticError, RuntimeError, AssertionError) as error:
        raise UserError(_why_not_built(architecture, options, str(error))) from error


def _why_not_built(architecture: str, options: dict[str, Any], error: str) -> str:
    if "drop_path_rate" in error:
        return (
            f"model.drop_path must be null for {architecture}, which has no residual branches to drop,"
            f" but is {options['drop_path_rate']}"
        )
    if error.startswith("image_size must"):  # our own encoders say it all
        return f"{error} (model.architecture={architecture})"
    if "img_size" in error:
        return f"image_size must suit {architecture}, but is {options.get('img_size')}: {error}"
    return f"model.options must be arguments that timm's {architecture} takes, but with {options}: {error}"


def output_shape(network: nn.Module, architecture: str, *, image_size: int) -> tuple[int, ...]:
    """Send one image through, shapes alone: on the meta device, in milliseconds, with no random number.

    Raises:
        UserError: An image that the network cannot take.
    """
    state = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    shapes = {name: tensor.to("meta") for name, tensor in state.items()}
    image = torch.empty(1, 3, image_size, image_size, device="meta")
    network.eval()
    try:
        with torch.no_grad():
            return tuple(functional_call(network, shapes, (image,)).shape)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"image_size and model.options must suit {architecture}, but {image_size} px do not pass: {error}"
        ) from error
    finally:
        network.train()
