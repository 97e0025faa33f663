"""Reading weight files: safetensors, timm state dicts, this project's checkpoints; no unsafe pickle."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from mk11.errors import UserError

CONTAINERS = ("state_dict", "model")  # where Lightning, timm and the MAE family keep the tensors
PREFIXES = ("network.", "module.", "_orig_mod.")  # left by our LightningModule, by DDP, by torch.compile


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The network's tensors in a file, under plain names; a UserError where it is not safe or holds none."""
    contents = _read(path)
    for container in CONTAINERS:
        inner = contents.get(container) if isinstance(contents, dict) else None
        contents = inner if isinstance(inner, dict) else contents
    state = _tensors(contents)
    if not state:
        raise UserError(f"model.weights must name a file of named tensors, but {path} holds none")
    for prefix in PREFIXES:
        state = _without_prefix(state, prefix)
    return state


def read_provenance(path: Path) -> dict[str, Any]:
    """What a checkpoint of this project says of itself (classes, model, images seen); empty for others."""
    contents = _read(path)
    told = contents.get("mk11") if isinstance(contents, dict) else None
    return told if isinstance(told, dict) else {}


def _read(path: Path) -> Any:  # noqa: ANN401  a pickle may hold anything; read_state_dict sorts it out
    if not path.is_file():
        raise UserError(f"model.weights must be none, imagenet or a file, but there is no file {path}")
    try:
        if _is_safetensors(path):
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise almost anything
        raise UserError(_why_unreadable(path, error)) from error


def _is_safetensors(path: Path) -> bool:
    """By content, since suffixes lie: eight bytes of header length, then the header's JSON."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def _why_unreadable(path: Path, error: Exception) -> str:
    if "GLOBAL" in str(error):  # torch's word for a class or function that the pickle wants to call
        return (
            f"model.weights must hold tensors only, but {path} is a pickle of other Python objects, which"
            " could run code on loading: save its state_dict() with torch.save or safetensors first"
        )
    return (
        f"model.weights must be a whole safetensors or torch.save file, but {path} is damaged, half-written"
        f" or of another kind ({type(error).__name__})"
    )


def _tensors(contents: object) -> dict[str, Tensor]:
    items = contents.items() if isinstance(contents, dict) else ()
    return {key: value for key, value in items if isinstance(key, str) and isinstance(value, Tensor)}


def _without_prefix(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under ``prefix`` alone, where there are any: the rest is not the network's."""
    inside = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    return inside or state
