"""Whose file it is, and what part of it is the encoder: official files of MAE, ConvMAE, MoCo v3 and MixMIM.

A file of pre-training holds more than an encoder: a decoder, a projector, a second encoder that follows the
first. The encoder's tensors keep their official names in our networks; those around it are left aside. Our
methods have them too, under other names:

    MAE, ConvMAE, MixMIM    mask_token, decoder_embed.*, ...   decoder.mask_token, decoder.embed.*, ...
                            decoder_pred.*                     decoder.predict.*
                            every other name                   encoder.<name>
    MoCo v3                 base_encoder.head.* or .fc.*       projector.*
                            base_encoder.*                     encoder.*
                            momentum_encoder.head.* or .fc.*   momentum_projector.*

Files of DINOv2 (and DinoBloom, which is one) and distilled DeiTs are recognised too: their ViT has further
tokens. Every function takes names with or without the prefixes that a wrapper left (`WRAPPERS`).
"""

import math
import re
from collections.abc import Iterator

from torch import Tensor

from mk11.models.positions import sincos_table

State = dict[str, Tensor]

METHODS = ("mae", "convmae", "mocov3", "mixmim")
# Of torch.compile, DistributedDataParallel and our modules.
WRAPPERS = ("_orig_mod.", "module.", "network.", "method.", "module.", "_orig_mod.")
ENCODERS = ("encoder.", "base_encoder.", "backbone.")  # ours, MoCo v3's, DINOv2's

# MoCo v3 puts it in the classifier's place; a classifier has no number.
PROJECTOR = re.compile(r"(head|fc)\.\d")
BESIDE_ENCODER = (
    "mask_token",
    "decoder_pos_embed",
    "decoder_embed",
    "decoder_blocks",
    "decoder_norm",
    "decoder_pred",
    "stage1_output_decode",
    "stage2_output_decode",
)
RECOMPUTED = ("relative_position_index", "attn_mask")  # buffers that follow from the window
NO_PLAIN_VIT = ("relative_position_bias_table", "q_bias", "gamma_1", "gamma_2")  # BEiT, EVA, CaiT
NEAR = 0.1  # a table that fine-tuning has moved less than this, relative to its size, is still a method's
LOOSELY_NEAR = 0.5  # where more than the table speaks for a method; a learned table is about 1 away


def plain_names(state: State) -> State:
    """The tensors without wrappers' prefixes; what lies outside a wrapper is not the network's."""
    *_, plain = unwrapped(state)
    return plain


def unwrapped(state: State) -> Iterator[State]:
    """The tensors as they are, then with one wrapper's prefix off after another."""
    yield state
    for wrapper in WRAPPERS:
        if inside := _inside(state, wrapper):
            state = inside
            yield state


def recognise(state: State) -> str | None:
    """Which method wrote these tensors: one of `METHODS`, ``deit`` (distilled), ``dinov2`` or None.

    A ViT without decoder, projector or further tokens is told by its position table: MAE's fixed one runs
    column first, MoCo v3's row first, and a learned one is neither.
    """
    names = plain_names(state)
    if any(name.startswith(("base_encoder.", "momentum_encoder.")) for name in names):
        return "mocov3"
    encoder, beside = split(names)
    if family(encoder) == "vit":
        return _whose_vit(encoder, beside)
    return family(encoder) if family(encoder) in METHODS else None


def family(state: State) -> str | None:
    """The kind of network that has such tensors: convmae, mixmim, vit, resnet, or None for any other."""
    if "patch_embed4.weight" in state:
        return "convmae"
    if {"absolute_pos_embed", "layers.0.downsample.reduction.weight"} <= state.keys():
        return "mixmim"
    if {"cls_token", "blocks.0.norm1.weight"} <= state.keys():
        return "vit"
    return "resnet" if {"layer1.0.conv1.weight", "layer1.0.bn1.weight"} <= state.keys() else None


def is_plain_vit(state: State) -> bool:
    """Whether the tensors are a ViT's whose blocks are those of the four methods."""
    return family(state) == "vit" and not any(
        name.endswith(NO_PLAIN_VIT) or "rope" in name.split(".") for name in state
    )


def split(state: State) -> tuple[State, State]:
    """The encoder's tensors, and what lies beside them: decoder, projector, predictor, second encoder.

    The encoder's have our networks' names, with the classifier's if there is one.
    """
    names = plain_names(state)
    prefix = next((p for p in ENCODERS if any(name.startswith(p) for name in names)), "")
    encoder = _unchunked(_inside(names, prefix))
    beside = {name: tensor for name, tensor in names.items() if not name.startswith(prefix)}
    kind = family(encoder)
    if prefix == "base_encoder.":
        projector = [name for name in encoder if PROJECTOR.match(name)]
        beside |= {f"projector.{name.partition('.')[2]}": encoder.pop(name) for name in projector}
    beside |= {name: encoder.pop(name) for name in list(encoder) if _is_beside(name, kind)}
    return encoder, beside


def _inside(state: State, prefix: str) -> State:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def _unchunked(state: State) -> State:
    """DINOv2 in training keeps its blocks in chunks, each under its own number: blocks.2.17.norm1.weight."""
    if not {"cls_token", "blocks.0.0.norm1.weight"} <= state.keys():
        return state
    return {re.sub(r"^blocks\.\d+\.(\d+)\.", r"blocks.\1.", name): value for name, value in state.items()}


def _is_beside(name: str, kind: str | None) -> bool:
    if kind == "mixmim" and name.endswith(RECOMPUTED):
        return True
    return kind in ("vit", "convmae", "mixmim") and name.split(".")[0] in BESIDE_ENCODER


def _whose_vit(encoder: State, beside: State) -> str | None:
    if any(name.startswith(("decoder_embed.", "decoder.embed.")) for name in beside):
        return "mae"
    if any(name.startswith("momentum_projector.") for name in beside):
        return "mocov3"
    if "dist_token" in encoder:
        return "deit"
    if "register_tokens" in encoder or ("mask_token" in beside and "blocks.0.ls1.gamma" in encoder):
        return "dinov2"
    if not is_plain_vit(encoder):
        return None
    # Fine-tuned as MAE: patch tokens are averaged before a norm of their own, and the table has moved.
    averaged = "fc_norm.weight" in encoder and "norm.weight" not in encoder
    return _whose_table(encoder.get("pos_embed"), near=LOOSELY_NEAR if averaged else NEAR)


def _whose_table(table: Tensor | None, *, near: float) -> str | None:
    """Whose fixed position table this is, class token first; None for one that was learned.

    ``near`` is how far from it a table may be, relative to its size.
    """
    side = math.isqrt(table.shape[1] - 1) if table is not None and table.ndim == 3 else 0
    if table is None or side < 2 or side**2 != table.shape[1] - 1 or table.shape[2] % 4:
        return None
    distances = {}
    for method, row_first in (("mae", False), ("mocov3", True)):
        fixed = sincos_table(table.shape[2], (side, side), row_first=row_first, class_token=True)
        distances[method] = float((table.float() - fixed).norm() / fixed.norm())
    nearest = min(distances, key=lambda method: distances[method])
    return nearest if distances[nearest] < near else None
