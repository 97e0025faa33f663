"""Reading weight files: safetensors, timm state dicts, official and our own checkpoints; no unsafe pickle."""

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mk11.errors import UserError
from mk11.models.about import checked
from mk11.models.encoder_file import is_safetensors, read_about, read_tensors
from mk11.models.official import State

CONTAINERS = ("state_dict", "model", "teacher")  # of Lightning and MoCo v3; timm and the MAE family; DINOv2
_SCALAR = np.float64(0).__reduce__()[0]
HARMLESS: list[Any] = [
    argparse.Namespace,  # the MAE family's files hold their scripts' arguments
    np.dtype,  # and training scripts leave NumPy's numbers among their results
    *{type(np.dtype(code)) for code in np.typecodes["AllInteger"] + np.typecodes["AllFloat"] + "?"},
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),  # before and since 2.0
]
PROVENANCE = "mk11"  # the entry in which our files say what they are


@dataclass(frozen=True)
class Checkpoint:
    """What a weight file holds."""

    state: State  # the tensors under the file's own names
    beside: tuple[str, ...]  # further parts of the file: optimizer, scaler, ...
    provenance: dict[str, Any]  # what a file of this project says of itself; empty for others


def read_checkpoint(path: Path) -> Checkpoint:
    """A file's tensors and what it says of itself; a UserError where it is not safe or holds no tensor."""
    contents = _read(path)
    told = read_about(path) if is_safetensors(path) else _provenance(contents, path)
    beside: tuple[str, ...] = ()
    for container in CONTAINERS:
        if isinstance(contents, dict) and isinstance(contents.get(container), dict):
            beside += _other_parts(contents, container)
            contents = contents[container]
    state = _tensors(contents)
    if not state:
        raise UserError(f"model.weights must name a file of named tensors, but {path} holds none")
    return Checkpoint(state=state, beside=beside, provenance=told)


def read_provenance(path: Path) -> dict[str, Any]:
    """What a file of this project says of itself (classes, model, images seen); empty for others.

    Raises:
        UserError: No file, an unsafe or damaged one, or one that says what cannot be.
    """
    if path.is_file() and is_safetensors(path):
        return read_about(path)
    return _provenance(_read(path), path)


def _read(path: Path) -> Any:  # noqa: ANN401  a pickle may hold anything; read_checkpoint sorts it out
    if not path.is_file():
        raise UserError(f"model.weights must be none, imagenet or a file, but there is no file {path}")
    try:
        if is_safetensors(path):
            return read_tensors(path)
        with torch.serialization.safe_globals(HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise almost anything
        raise UserError(_why_unreadable(path, error)) from error


def _why_unreadable(path: Path, error: Exception) -> str:
    refused = re.search(r"GLOBAL (\S+)", str(error))  # torch's word for what the pickle wants to call
    if refused:
        return (
            f"model.weights must hold tensors only, but {path} is a pickle of other Python objects"
            f" ({refused[1]}), which could run code on loading: save its state_dict() with torch.save or"
            " safetensors first"
        )
    return (
        f"model.weights must be a whole safetensors or torch.save file, but {path} is damaged, half-written"
        f" or of another kind ({type(error).__name__})"
    )


def _provenance(contents: object, path: Path) -> dict[str, Any]:
    told = contents.get(PROVENANCE) if isinstance(contents, dict) else None
    return checked(told, path) if isinstance(told, dict) else {}


def _other_parts(contents: Mapping[str, Any], container: str) -> tuple[str, ...]:
    """Names of what else has parts of its own: optimizer, scaler, args; not of numbers such as the epoch."""
    return tuple(
        str(name)
        for name, part in contents.items()
        if name not in (container, PROVENANCE) and isinstance(part, (dict, list, argparse.Namespace))
    )


def _tensors(contents: object) -> State:
    items = contents.items() if isinstance(contents, dict) else ()
    return {key: value for key, value in items if isinstance(key, str) and isinstance(value, Tensor)}
