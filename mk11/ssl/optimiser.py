"""What pre-training optimises and how: groups by decay and layer, AdamW or LARS."""

from typing import Any

from torch import nn
from torch.optim import Optimizer

from mk11.optim.groups import UNDECAYED_ENDINGS, layer_ids
from mk11.optim.lars import Lars
from mk11.optim.optimiser import adamw
from mk11.ssl.method import Method
from mk11.ssl.mocov3 import MoCoV3
from mk11.ssl.settings import Settings

ENCODER = "encoder."


def optimiser_of(method: Method, settings: Settings) -> Optimizer:
    """AdamW, or LARS as MoCo v3 trains a ResNet, over the method's trainable parameters."""
    groups = decay_groups(
        method,
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        layer_decay=settings.layer_decay,
        reference=settings.reference_compatible,
    )
    if settings.name == "lars":
        return Lars(groups, momentum=settings.momentum, trust=settings.trust)
    return adamw(groups, betas=settings.betas)


def decay_groups(
    method: Method, *, lr: float, weight_decay: float, layer_decay: float, reference: bool
) -> list[dict[str, Any]]:
    """Parameters by learning rate and decay, each trainable one in exactly one group.

    Biases and gains of norms are not decayed; neither are tokens and tables of positions, though the official
    code of MAE, ConvMAE and MixMIM does decay these (`reference`). MoCo v3 decays everything, as published.
    Parts beside the encoder (decoder, projector, predictor) learn at `lr`, as does the encoder's last layer.
    """
    scales = _layer_scales(method.encoder, layer_decay)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in method.named_parameters():
        if parameter.requires_grad:
            decays = isinstance(method, MoCoV3) or _decays(name, parameter, reference=reference)
            groups.setdefault((scales.get(name, 1.0), decays), []).append(parameter)
    return [
        {"params": params, "lr": lr * scale, "weight_decay": weight_decay if decays else 0.0}
        for (scale, decays), params in sorted(groups.items(), key=lambda item: item[0])
    ]


def _decays(name: str, parameter: nn.Parameter, *, reference: bool) -> bool:
    if parameter.ndim <= 1 or name.endswith(".bias"):
        return False
    return reference or not name.endswith(UNDECAYED_ENDINGS)


def _layer_scales(encoder: nn.Module, layer_decay: float) -> dict[str, float]:
    """Learning rate of each encoder parameter relative to the last layer's; empty where all are equal."""
    if layer_decay == 1:
        return {}
    ids = layer_ids(encoder)
    top = max(ids.values())
    return {f"{ENCODER}{name}": layer_decay ** (top - layer) for name, layer in ids.items()}
