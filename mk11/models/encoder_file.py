"""``encoder.safetensors``, what pre-training hands on: tensors that say of themselves what they are.

The tensors have the network's names, so that any reader of safetensors can use them. What pre-training was
(method, architecture, images seen, ...) is in the file's own header, under ``mk11``, and for human readers in
``encoder.json`` beside it.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from mk11.errors import UserError
from mk11.files import replacing, write_json

HEADER = "mk11"  # the entry of the safetensors header
HASH_DIGITS = 16

REQUIRED = (  # without these a later stage could not trust the file
    "method",  # mae, convmae, mocov3 or mixmim
    "architecture",  # timm's name
    "options",  # further arguments of the network
    "image_size",  # px
    "mean",  # of the images' normalisation, red green blue
    "std",
    "trained_on",  # content hashes of every image seen
)


def write_encoder(path: Path, network: nn.Module, about: Mapping[str, Any]) -> None:
    """Write a network's tensors to ``path`` with ``about`` in its header, and ``about`` as JSON beside it.

    Args:
        path: The safetensors file; the JSON has its name with the suffix ``.json``.
        network: The encoder.
        about: What it is; at least `REQUIRED`.
    """
    assert not set(REQUIRED) - about.keys(), f"about lacks {set(REQUIRED) - about.keys()}"
    told = json.dumps(about, default=str, allow_nan=False)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with replacing(path) as temporary:
        save_file(state, temporary, metadata={"format": "pt", HEADER: told})
    write_json(path.with_suffix(".json"), {**about, "content_hash": file_hash(path)})


def read_about(path: Path) -> dict[str, Any]:
    """What an encoder's file says of itself; empty for a safetensors file of others."""
    try:
        with safe_open(path, framework="pt") as file:
            told = (file.metadata() or {}).get(HEADER, "{}")
        about = json.loads(told)
    except (SafetensorError, json.JSONDecodeError) as error:
        raise UserError(
            f"model.weights must be a whole safetensors or torch.save file, but {path} is damaged or"
            f" half-written ({type(error).__name__})"
        ) from error
    return about if isinstance(about, dict) else {}


def is_safetensors(path: Path) -> bool:
    """By content, since suffixes lie: eight bytes of header length, then the header's JSON."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def file_hash(path: Path) -> str:
    """The first hex digits of a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:HASH_DIGITS]
