"""A file's tensors brought to a network: under its names, with tables for its grid and its windows."""

import math
import sys
from typing import Any, cast

import torch
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from mk11.models.lite0 import is_lite0, rename_lite0
from mk11.models.official import METHODS, State
from mk11.models.positions import resized_bias, resized_table

POSITION_TABLES = ("pos_embed", "absolute_pos_embed")


def fitted(state: State, network: nn.Module, *, method: str | None, architecture: str) -> State:
    """The encoder's tensors of a file for this network.

    Position tables and relative position biases of the four methods are resized as in their fine-tuning code,
    bicubically without antialiasing; those of other files as timm does it, with antialiasing.

    Args:
        state: Tensors of `mk11.models.official.to_encoder`.
        network: The network they are for.
        method: Whose they are (`mk11.models.official.recognise`).
        architecture: The network's name in timm.
    """
    if is_lite0(state):
        return rename_lite0(state, architecture=architecture)
    if method in METHODS or type(network).__module__.startswith("mk11."):
        return _with_resized_tables(state, network)
    if method == "dinov2":  # by its mask token timm knows it, and renames register tokens and SwiGLU layers
        return _as_timm_renames(state | {"mask_token": torch.empty(0)}, network)
    if not state.keys() >= dict(network.named_parameters()).keys():
        state = _as_timm_renames(state, network)
    return _with_timms_position_embedding(state, network)


def _with_resized_tables(state: State, network: nn.Module) -> State:
    """Tables of another image size or window at this network's."""
    own = network.state_dict()
    resized = {
        name: _resized(name, tensor, own[name].shape)
        for name, tensor in state.items()
        if name in own and own[name].shape != tensor.shape and own[name].shape[-1] == tensor.shape[-1]
    }
    return state | resized


def _resized(name: str, table: Tensor, shape: torch.Size) -> Tensor:
    """One table for ``shape``; any other tensor as it is, to be found missing."""
    if name.endswith("relative_position_bias_table"):
        return resized_bias(table, math.isqrt(shape[0]))  # (other places, heads)
    if name not in POSITION_TABLES:
        return table
    class_token = math.isqrt(shape[1]) ** 2 != shape[1]  # no square of patches: one row comes before it
    side = math.isqrt(shape[1] - class_token)
    if math.isqrt(table.shape[1] - class_token) ** 2 != table.shape[1] - class_token:
        return table
    return resized_table(table, (side, side), class_token=class_token)  # (1, other tokens, dim)


def _as_timm_renames(state: State, network: nn.Module) -> State:
    """Rename as timm does for files as first published (torchvision's VGG, the authors' ConvNeXt, DINOv2)."""
    module = sys.modules[type(network).__module__]
    try:
        if hasattr(module, "checkpoint_filter_fn"):
            return cast(State, module.checkpoint_filter_fn(dict(state), network))
        if hasattr(module, "_filter_fn"):
            return cast(State, module._filter_fn(dict(state)))
    except (KeyError, RuntimeError):  # another family's file: the comparison of names will tell
        pass
    return state


def _with_timms_position_embedding(state: State, network: Any) -> State:  # noqa: ANN401
    """(1, tokens, dim) of the file -> the network's tokens, bicubic over the grid, class token kept."""
    old, new = state.get("pos_embed"), getattr(network, "pos_embed", None)
    if old is None or new is None or old.shape == new.shape or old.shape[-1] != new.shape[-1]:
        return state
    tokens = 0 if network.no_embed_class else network.num_prefix_tokens
    grid = list(network.patch_embed.grid_size)
    return state | {"pos_embed": resample_abs_pos_embed(old, new_size=grid, num_prefix_tokens=tokens)}
