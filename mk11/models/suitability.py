"""Whether weights are meant for a network, where shapes cannot tell, and which `model` they are meant for.

A ViT-S of MoCo v3 has 12 attention heads and every other one has 6; the tensors have the same shapes, and
with the wrong number of heads the features are worthless.
"""

import warnings
from collections.abc import Mapping
from typing import Any, cast

from torch import nn

from mk11.errors import UserError
from mk11.models.about import heads, told_heads
from mk11.models.official import State, family, is_plain_vit

NAMES = {
    "mae": "MAE's",
    "convmae": "ConvMAE's",
    "mocov3": "MoCo v3's",
    "mixmim": "MixMIM's",
    "deit": "a distilled DeiT's",
    "dinov2": "DINOv2's",
    "vit": "a ViT's",
    "resnet": "a ResNet's",
}
SIZES = {  # by the width of the last stage's tokens; of MixMIM's first
    "mae": {192: "tiny", 384: "small", 768: "base", 1024: "large", 1280: "huge"},
    "convmae": {192: "tiny", 384: "small", 768: "base", 1024: "large", 1280: "huge"},
    "mocov3": {192: "tiny", 384: "small", 768: "base"},
    "mixmim": {32: "tiny", 128: "base", 192: "large", 352: "huge"},
    "deit": {192: "tiny", 384: "small", 768: "base"},
    "dinov2": {384: "small", 768: "base", 1024: "large", 1536: "giant"},
}
MOCO_HEADS = 12  # of ViT-S and ViT-B alike (MoCo v3's published ViTs)
HEAD_WIDTH = 64  # channels of a head in every other published ViT ...
WIDEST = 1024  # ... of at most so many channels
FURTHER_TOKENS = {"dist_token": "dist_token", "register_tokens": "reg_token", "reg_token": "reg_token"}
WIDTH_FROM = {"vit": "cls_token", "convmae": "pos_embed", "mixmim": "absolute_pos_embed"}


def recognised(encoder: State, method: str | None) -> str:
    """Whose tensors these are and which `model` takes them, to follow a refusal; empty if nobody knows."""
    owner = method or family(encoder)
    if owner is None:
        return ""
    width = _width(encoder)
    told = f" (width {width})" if width else ""
    return f"; the file was recognised as {NAMES[owner]}{told}, which {_model(owner, width, encoder)} fits"


def _model(owner: str, width: int, encoder: State) -> str:
    """The overrides for a file, with the variant where its width is a published one."""
    if family(encoder) == "resnet":
        return "model=mocov3_resnet" if owner == "mocov3" else "model=resnet"
    size = SIZES.get(owner, {}).get(width)
    if owner == "deit":
        return f"model=deit model.architecture=deit_{size or 'small'}_distilled_patch16_224"
    if owner == "dinov2":
        registers = "_reg4" if "register_tokens" in encoder else ""
        return f"model=vit model.architecture=vit_{size or 'small'}_patch14{registers}_dinov2"
    stem = "conv_" if "patch_embed.proj.0.weight" in encoder else ""
    return f"model={owner}" + (f" model.variant={stem}{size}" if size else "")


def refuse_unsuited(
    network: nn.Module, encoder: State, *, method: str | None, told: Mapping[str, Any], source: str
) -> None:
    """Raise a UserError for weights of another method's network, or of one that differs beneath the shapes.

    Args:
        network: What they are to fill.
        encoder: The file's encoder.
        method: Whose it is (`mk11.models.official.recognise`).
        told: What the file says of itself, if it is one of this project's.
        source: The file's name.
    """
    ours, theirs = family(dict(network.state_dict())), family(encoder)
    why = ""
    if ours != theirs and theirs is not None and (method or ours in ("convmae", "mixmim")):
        why = ", another kind of network"
    elif ours == theirs and theirs is not None:
        why = _other_tokens(network, encoder) or _other_patch(network, encoder)
        why = why or _other_heads(network, encoder, method=method, told=told)
    if why:
        hint = recognised(encoder, method)
        raise UserError(f"model.weights={source} must be weights of {_architecture(network)}{why}{hint}")


def _architecture(network: nn.Module) -> str:
    return str(cast(Any, network).pretrained_cfg["architecture"])


def _other_tokens(network: nn.Module, encoder: State) -> str:
    """Tokens that the file's network attends to and this one has not: without them the features differ."""
    for name, own in FURTHER_TOKENS.items():
        if name in encoder and getattr(network, own, None) is None:
            return f", which has no {own}, and without it the file's features are others"
    return ""


def _other_patch(network: nn.Module, encoder: State) -> str:
    name = "patch_embed.proj.weight"
    own, theirs = network.state_dict().get(name), encoder.get(name)
    if own is None or theirs is None or own.shape[2:] == theirs.shape[2:]:
        return ""
    return f", which has patches of {own.shape[-1]} px, but the file's have {theirs.shape[-1]} px"


def _other_heads(network: nn.Module, encoder: State, *, method: str | None, told: Mapping[str, Any]) -> str:
    own, width = heads(network), _width(encoder)
    if width != _width(network.state_dict()):
        return ""  # the comparison of shapes will tell
    theirs = told_heads(told)
    if theirs is None and told.get("architecture") == _architecture(network):
        return ""  # our own file of the same network, written before files said how many heads they have
    theirs = theirs or _published_heads(width, method)
    if own and theirs and own != theirs:
        return f", which has {own} attention heads, but the file's network has {theirs}"
    usual, plain = width // HEAD_WIDTH, method is None and is_plain_vit(dict(network.state_dict()))
    if own and not theirs and plain and own != usual and width in SIZES["mae"] and width <= WIDEST:
        warnings.warn(
            f"{_architecture(network)} has {own} attention heads, where a ViT of {width} channels has"
            f" {usual} as a rule; the file's shapes cannot tell what its network had, and with another number"
            " the features are worthless",
            stacklevel=5,
        )
    return ""


def _width(state: State) -> int:
    """Channels of the tokens, of MixMIM's in its first stage; 0 where there are none."""
    name = WIDTH_FROM.get(family(state) or "", "")
    return state[name].shape[-1] if name in state else 0


def _published_heads(width: int, method: str | None) -> int | None:
    if method == "mocov3":
        return MOCO_HEADS if width in (384, 768) else None
    known = method in ("mae", "deit", "dinov2") and width in SIZES[method] and width <= WIDEST
    return width // HEAD_WIDTH if known else None
