"""Parameter groups with layer-wise learning rates that a torch schedule really applies.

The learning rate of a layer is ``lr * layer_decay ** (head - layer)``: the classification head learns at
``lr``, each layer below it at ``layer_decay`` times the one above (Clark et al. 2020; MAE, appendix A.1).
Each group's ``lr`` is multiplied out here: timm's own groups carry an ``lr_scale`` that torch ignores.

Layers are timm's: stem, stages and head of a convolutional network; stem, blocks and head of a ViT. Those of
ConvMAE and MixMIM are as published: ConvMAE's stem is all before its attention blocks; MixMIM's blocks are
counted through its stages, and tokens are merged in the layer of the block that follows.
"""

from collections.abc import Callable
from typing import Any, cast

from timm.models._manipulate import group_with_matcher
from timm.models.vgg import VGG
from timm.models.vision_transformer import VisionTransformer
from torch import nn

VGG_HEAD = 1000  # an ordinal above every VGG stage
BIAS_TABLE = "relative_position_bias_table"
UNDECAYED_ENDINGS = ("token", "pos_embed", BIAS_TABLE)


def layer_ids(network: nn.Module) -> dict[str, int]:
    """Depth of each parameter: 0 = stem ... largest = head, without gaps."""
    ids = group_with_matcher(network.named_parameters(), _matcher(network), reverse=True)
    return cast("dict[str, int]", ids)


def layer_names(network: nn.Module) -> list[str]:
    """Readable names of the layers, by depth: ``["stem", "stage 1", ..., "head"]``."""
    top = max(layer_ids(network).values())
    kind = "block" if isinstance(network, VisionTransformer) or _is_ours(network) else "stage"
    first = (
        2 if isinstance(network, VGG) else 1
    )  # a VGG has no stem of its own: its first stage plays that part
    return ["stem", *(f"{kind} {first + depth}" for depth in range(top - 1)), "head"]


def parameter_groups(
    network: nn.Module, *, lr: float, weight_decay: float, layer_decay: float, reference: bool
) -> list[dict[str, Any]]:
    """One group per layer and kind of decay, from stem to head, each trainable parameter in exactly one.

    Groups have ``params, lr, weight_decay, name, layer, lr_scale``. Norms, biases, tokens and tables of
    positions are not decayed; their group's name ends in ``(no decay)``.

    Args:
        network: A timm network.
        lr: Learning rate of the head.
        weight_decay: Of all that is decayed.
        layer_decay: Learning rate of a layer relative to the one above it.
        reference: Do as MixMIM's official fine-tuning: its final norm and head learn no faster than its last
            block, and its relative position biases are decayed. For other networks there is no difference.
    """
    ids, names = layer_ids(network), layer_names(network)
    as_mixmim = reference and _is_mixmim(network)
    if as_mixmim:
        ids = {name: min(layer, len(names) - 2) for name, layer in ids.items()}
    undecayed = _undecayed(network, but=(BIAS_TABLE,) if as_mixmim else ())
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            key = (ids[name], name in undecayed)
            groups.setdefault(key, {"params": []})["params"].append(parameter)
    for (layer, no_decay), group in groups.items():
        scale = layer_decay ** (len(names) - 1 - layer)
        group |= {
            "lr": lr * scale,
            "weight_decay": 0.0 if no_decay else weight_decay,
            "name": f"{names[layer]} (no decay)" if no_decay else names[layer],
            "layer": layer,
            "lr_scale": scale,
        }
    return [groups[key] for key in sorted(groups)]


def _matcher(network: nn.Module) -> dict[str, Any] | Callable[[str], int]:
    """Group as timm does, by stage (ViT: by block), but mended for two families."""
    if isinstance(network, VGG):
        return _vgg_stage(network)
    matcher = cast(Any, network).group_matcher(coarse=True)
    if isinstance(network, VisionTransformer):
        # timm joins the final norm to the last block; MAE's published fine-tuning trains it with the head.
        matcher = matcher | {"blocks": r"^blocks\.(\d+)"}
    return cast("dict[str, Any]", matcher)


def _vgg_stage(network: VGG) -> Callable[[str], int]:
    """Stage of a VGG parameter: the pools before it. timm counts single convolutions, and norms apart."""
    pools = [index for index, module in enumerate(network.features) if isinstance(module, nn.MaxPool2d)]

    def stage(name: str) -> int:
        block, index, *_ = name.split(".")
        return sum(pool < int(index) for pool in pools) if block == "features" else VGG_HEAD

    return stage


def _undecayed(network: nn.Module, *, but: tuple[str, ...]) -> set[str]:
    """Names of norms, biases, tokens and tables of positions, ``but`` for those with some endings."""
    declared = set(getattr(network, "no_weight_decay", set)())
    usual = {
        name
        for name, parameter in network.named_parameters()
        if parameter.ndim <= 1 or name.endswith(UNDECAYED_ENDINGS)
    }
    return {name for name in declared | usual if not name.endswith(but)}


def _is_ours(network: nn.Module) -> bool:
    return type(network).__module__.startswith("mk11.")


def _is_mixmim(network: nn.Module) -> bool:
    """By its name for the position table: this layer of the code knows no encoders."""
    return _is_ours(network) and hasattr(network, "absolute_pos_embed")
