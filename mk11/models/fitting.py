"""A file's tensors brought to a network: under its names, with tables for its grid and its windows."""

import math
import sys
from typing import Any, cast

import torch
from timm.layers import resample_abs_pos_embed, resample_abs_pos_embed_nhwc
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from mk11.models.lite0 import is_lite0, rename_lite0
from mk11.models.official import METHODS, State
from mk11.models.positions import resized_bias, resized_table

POSITION_TABLES = ("pos_embed", "absolute_pos_embed")
BIAS_TABLE = "relative_position_bias_table"


def fitted(state: State, network: nn.Module, *, method: str | None, architecture: str) -> State:
    """The encoder's tensors of a file for this network.

    Position tables and relative position biases of our networks, and of the four methods' files in plain
    ViTs, are resized as in the methods' fine-tuning code, bicubically without antialiasing; position
    tables of others as timm does it, with antialiasing.

    Args:
        state: The encoder of `mk11.models.official.split`.
        network: The network they are for.
        method: Whose they are (`mk11.models.official.recognise`).
        architecture: The network's name in timm.
    """
    if is_lite0(state):
        return rename_lite0(state, architecture=architecture)
    ours = type(network).__module__.startswith("mk11.")
    if ours or (method in METHODS and isinstance(network, VisionTransformer)):
        return _with_resized_tables(state, network)
    if method == "dinov2":  # by its mask token timm knows it, and renames register tokens and SwiGLU layers
        return _as_timm_renames(state | {"mask_token": torch.empty(0)}, network)
    if not state.keys() >= dict(network.named_parameters()).keys():
        state = _as_timm_renames(state, network)
    return _with_timms_position_embedding(state, network)


def _with_resized_tables(state: State, network: nn.Module) -> State:
    """Tables of another image size or window at this network's."""
    own, grid = network.state_dict(), _grid(network)
    resized = {
        name: _resized(name, tensor, own[name].shape, grid)
        for name, tensor in state.items()
        if name in own and own[name].shape != tensor.shape and own[name].shape[-1] == tensor.shape[-1]
    }
    return state | resized


def _grid(network: Any) -> tuple[int, int]:  # noqa: ANN401
    """(rows, columns) of the patches that have positions."""
    rows, columns = getattr(network, "grid_size", None) or network.patch_embed.grid_size
    return rows, columns


def _resized(name: str, table: Tensor, shape: torch.Size, grid: tuple[int, int]) -> Tensor:
    """One table for ``shape``; any other tensor, and a table of no square, as it is, to be found missing."""
    if name.endswith(BIAS_TABLE) and _is_square(table.shape[0]):
        return resized_bias(table, math.isqrt(shape[0]))  # (other places, heads)
    prefix = shape[1] - math.prod(grid) if name in POSITION_TABLES else 0
    if name not in POSITION_TABLES or not _is_square(table.shape[1] - prefix):
        return table
    return resized_table(table, grid, prefix=prefix)  # (1, other tokens, dim)


def _is_square(count: int) -> bool:
    return count > 0 and math.isqrt(count) ** 2 == count


def _as_timm_renames(state: State, network: nn.Module) -> State:
    """Rename as timm does for files as first published (torchvision's VGG, the authors' ConvNeXt, DINOv2)."""
    module = sys.modules[type(network).__module__]
    try:
        if hasattr(module, "checkpoint_filter_fn"):
            return cast(State, module.checkpoint_filter_fn(dict(state), network))
        if hasattr(module, "_filter_fn"):
            return cast(State, module._filter_fn(dict(state)))
    except (KeyError, RuntimeError):
        return state  # another family's file: the comparison of names will tell
    return state


def _with_timms_position_embedding(state: State, network: Any) -> State:  # noqa: ANN401
    """The file's table on the network's grid, bicubic, rows before the patches' kept; others as they are."""
    old, new = state.get("pos_embed"), getattr(network, "pos_embed", None)
    if old is None or not isinstance(new, Tensor) or old.shape == new.shape or old.ndim != new.ndim:
        return state
    if old.shape[-1] != new.shape[-1]:
        return state
    if new.ndim == 4:  # VOLO's: (1, rows, columns, dim)
        return state | {"pos_embed": resample_abs_pos_embed_nhwc(old, new_size=list(new.shape[1:3]))}
    grid = _grid(network)
    prefix = new.shape[1] - math.prod(grid)
    if not _is_square(old.shape[1] - prefix):
        return state
    return state | {"pos_embed": resample_abs_pos_embed(old, new_size=list(grid), num_prefix_tokens=prefix)}
