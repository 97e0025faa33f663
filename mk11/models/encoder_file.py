"""``encoder.safetensors``, what pre-training hands on: tensors that say of themselves what they are.

The tensors have the network's names, so that any reader of safetensors can use them. What pre-training was
(method, architecture, ...) is in the file's own header, under ``mk11``. The content hashes of all images seen
are one more tensor, since a header must stay below 100 MB. ``encoder.json`` beside the file is for human
readers; of the hashes it has the number and a digest.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mk11.errors import UserError
from mk11.files import replacing, write_json
from mk11.models.about import REQUIRED, checked, heads

HEADER = "mk11"  # the entry of the safetensors header
TRAINED_ON = "mk11.trained_on"  # the tensor of content hashes, (images, bytes); no network has such a name
HASH_DIGITS = 16


def write_encoder(path: Path, network: nn.Module, about: Mapping[str, Any]) -> None:
    """Write a network's tensors to ``path`` with ``about`` in its header, and ``about`` as JSON beside it.

    Args:
        path: The safetensors file; the JSON has its name with the suffix ``.json``.
        network: The encoder.
        about: What it is; at least `REQUIRED`. The number of attention heads is added.
    """
    assert not set(REQUIRED) - about.keys(), f"about lacks {set(REQUIRED) - about.keys()}"
    told = {key: value for key, value in about.items() if key != "trained_on"}
    told["num_heads"] = heads(network)
    header = json.dumps(told, default=str, allow_nan=False)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    state[TRAINED_ON] = _as_bytes(about["trained_on"])
    with replacing(path) as temporary:
        save_file(state, temporary, metadata={"format": "pt", HEADER: header})
    seen = {"images": len(about["trained_on"]), "sha256": _digest(about["trained_on"])}
    write_json(path.with_suffix(".json"), {**told, "trained_on": seen, "content_hash": file_hash(path)})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The network's tensors in a safetensors file."""
    return {name: tensor for name, tensor in load_file(path).items() if name != TRAINED_ON}


def read_about(path: Path) -> dict[str, Any]:
    """What an encoder's file says of itself, with ``trained_on``; empty for a safetensors file of others.

    Raises:
        UserError: A damaged file, or one whose header is not what `write_encoder` writes.
    """
    try:
        with safe_open(path, framework="pt") as file:
            told = (file.metadata() or {}).get(HEADER, "{}")
            hashes = file.get_tensor(TRAINED_ON) if TRAINED_ON in file.keys() else None  # noqa: SIM118  no mapping
        about = json.loads(told)
    except (SafetensorError, json.JSONDecodeError) as error:
        raise UserError(
            f"model.weights must be a whole safetensors or torch.save file, but {path} is damaged or"
            f" half-written ({type(error).__name__})"
        ) from error
    if not isinstance(about, dict) or not about:
        return {}
    if hashes is not None:  # files of earlier versions have the hashes in the header
        about["trained_on"] = _as_text(hashes, path)
    lacking = [key for key in REQUIRED if key not in about]
    if lacking:
        raise UserError(
            f"model.weights must be a file with a sound header, but that of {path} lacks {', '.join(lacking)}"
        )
    return checked(about, path)


def is_safetensors(path: Path) -> bool:
    """By content, since suffixes lie: eight bytes of header length, then the header's JSON."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def file_hash(path: Path) -> str:
    """The first hex digits of a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:HASH_DIGITS]


def _as_bytes(hashes: Sequence[str]) -> UInt8[Tensor, "images bytes"]:
    """Content hashes as numbers: 16 bytes for each image."""
    if not hashes:
        return torch.zeros(0, HASH_DIGITS, dtype=torch.uint8)
    content = bytearray.fromhex("".join(hashes))
    assert len({len(one) for one in hashes}) == 1, "content hashes have one length"
    return torch.frombuffer(content, dtype=torch.uint8).view(len(hashes), -1)


def _as_text(hashes: Tensor, path: Path) -> list[str]:
    """The inverse of `_as_bytes`."""
    if hashes.dtype != torch.uint8 or hashes.ndim != 2:
        raise UserError(
            f"model.weights must be a file with a sound header, but {TRAINED_ON} of {path} are no bytes"
        )
    digits, content = 2 * hashes.shape[1], hashes.numpy().tobytes().hex()
    return [content[start : start + digits] for start in range(0, len(content), digits)] if digits else []


def _digest(hashes: Sequence[str]) -> str:
    """SHA-256 of the hashes in alphabetical order."""
    return hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()
