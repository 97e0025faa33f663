"""Whose file it is, and what part of it is the encoder: official files of MAE, ConvMAE, MoCo v3 and MixMIM.

A file of pre-training holds more than an encoder: a decoder, a projector, a second encoder that follows the
first. The encoder's tensors keep their official names in our networks; those around it are renamed thus:

    MAE, ConvMAE, MixMIM    mask_token, decoder_embed.*, ...   -> decoder.mask_token, decoder.embed.*, ...
                            decoder_pred.*                     -> decoder.predict.*
                            every other name                   -> encoder.<name>
    MoCo v3                 base_encoder.head.* or .fc.*       -> projector.*
                            base_encoder.*                     -> encoder.*
                            momentum_encoder.head.* or .fc.*   -> momentum_projector.*

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
WRAPPERS = (
    "_orig_mod.",
    "module.",
    "network.",
    "method.",
    "module.",
    "_orig_mod.",
)  # compile, DDP, our modules
ENCODERS = ("encoder.", "base_encoder.", "backbone.")  # ours, MoCo v3's, DINOv2's

PROJECTOR = re.compile(
    r"(head|fc)\.\d"
)  # MoCo v3 puts it in the classifier's place; a classifier has no number
DECODER = {
    "decoder_pos_embed": "decoder.pos_embed",
    "decoder_embed": "decoder.embed",
    "decoder_blocks": "decoder.blocks",
    "decoder_norm": "decoder.norm",
    "decoder_pred": "decoder.predict",
    "mask_token": "decoder.mask_token",
}
BESIDE_ENCODER = (*DECODER, "stage1_output_decode", "stage2_output_decode")
RECOMPUTED = ("relative_position_index", "attn_mask")  # buffers that follow from the window
NEAR = 0.1  # a table that fine-tuning has moved less than this is still a method's


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


def to_encoder(state: State) -> State:
    """The encoder's tensors alone, under our networks' names, with the classifier's if there is one."""
    return split(state)[0]


def split(state: State) -> tuple[State, State]:
    """The encoder's tensors, and what lies beside them: decoder, projector, predictor, second encoder."""
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


def to_method(state: State, method: str) -> State:
    """A pre-training file's tensors under the names of our `mk11.ssl` method."""
    names = plain_names(state)
    if any(name.startswith("encoder.") for name in names):
        return names  # our own
    return {to_method_name(name, method): tensor for name, tensor in names.items()}


def to_method_name(name: str, method: str) -> str:
    """`decoder_blocks.0.norm1.bias` -> `decoder.blocks.0.norm1.bias`; see the module's table."""
    if method == "mocov3":
        name = re.sub(r"^base_encoder\.(head|fc)\.", "projector.", name)
        name = re.sub(r"^momentum_encoder\.(head|fc)\.", "momentum_projector.", name)
        return re.sub(r"^base_encoder\.", "encoder.", name)
    part, dot, rest = name.partition(".")
    if part in BESIDE_ENCODER:
        return DECODER.get(part, part) + dot + rest
    return f"encoder.{name}"


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
    if "fc_norm.weight" in encoder and "norm.weight" not in encoder:
        return "mae"  # fine-tuned: patch tokens are averaged before a norm of their own
    return _whose_table(encoder.get("pos_embed"))


def _whose_table(table: Tensor | None) -> str | None:
    """Whose fixed position table this is, class token first; None for one that was learned."""
    side = math.isqrt(table.shape[1] - 1) if table is not None and table.ndim == 3 else 0
    if table is None or side < 2 or side**2 != table.shape[1] - 1 or table.shape[2] % 4:
        return None
    for method, row_first in (("mae", False), ("mocov3", True)):
        fixed = sincos_table(table.shape[2], (side, side), row_first=row_first, class_token=True)
        if (table.float() - fixed).norm() < NEAR * fixed.norm():
            return method
    return None
