"""What a weight file says of itself, checked before anything is made of it: a file may come from anyone."""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from torch import nn

from mk11.errors import UserError

TIMM_NAME = re.compile(r"[A-Za-z0-9_.-]+")  # with a colon or a slash timm looks at the hub or at a folder
LOADS = re.compile(r"pretrained.*|checkpoint_path|cache_dir")  # what makes timm fetch or open further files
SHOWN = 80  # characters of a value that breaks its rule

REQUIRED = (  # without these a later stage could not trust an encoder's file
    "method",  # mae, convmae, mocov3 or mixmim
    "architecture",  # timm's name
    "options",  # further arguments of the network
    "image_size",  # px
    "mean",  # of the images' normalisation, red green blue
    "std",
    "trained_on",  # content hashes of every image seen
)


class Rule(NamedTuple):
    """What an entry must be, in words and as a test."""

    words: str
    holds: Callable[[Any], bool]


def checked(told: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What the file says, its entries being what later stages take them for.

    A checkpoint of `train.py` has those of its network under ``model``.

    Raises:
        UserError: An entry of another kind, or options that would make timm read or fetch other files.
    """
    entries = {**told, **(told["model"] if isinstance(told.get("model"), dict) else {})}
    for key, rule in RULES.items():
        if key in entries and not rule.holds(entries[key]):
            raise UserError(
                f"model.weights must be a file with a sound header, but that of {path} has as {key}"
                f" {repr(entries[key])[:SHOWN]}, which must be {rule.words}"
            )
    return dict(told)


def heads(network: nn.Module) -> int | None:
    """Attention heads of the first block that has any."""
    return next((int(cast(Any, m).num_heads) for m in network.modules() if hasattr(m, "num_heads")), None)


def told_heads(told: Mapping[str, Any]) -> int | None:
    """Attention heads of the network that a file speaks of; None where it does not say."""
    model = told["model"] if isinstance(told.get("model"), dict) else told
    found = told.get("num_heads") or model.get("options", {}).get("num_heads")
    first = found[0] if isinstance(found, list | tuple) and found else found  # a number for each stage
    return first if _is_whole(first) else None


def _is_plain(value: object) -> bool:
    """Whether a value is of JSON: no object that could act."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(inside) for key, inside in value.items())
    return value is None or isinstance(value, str | int | float)


def _are_options(value: object) -> bool:
    return isinstance(value, dict) and _is_plain(value) and not any(LOADS.fullmatch(key) for key in value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_colour(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and all(map(_is_number, value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


RULES = {
    "method": Rule("a name", lambda value: isinstance(value, str)),
    "architecture": Rule(
        "a name of timm's", lambda value: isinstance(value, str) and bool(TIMM_NAME.fullmatch(value))
    ),
    "options": Rule("plain arguments of a network, none of which fetches or opens a file", _are_options),
    "image_size": Rule("a whole number of px", _is_whole),
    "num_heads": Rule("a whole number, or null", lambda value: value is None or _is_whole(value)),
    "mean": Rule("three numbers", _is_colour),
    "std": Rule("three numbers", _is_colour),
    "trained_on": Rule(
        "a list of content hashes",
        lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    ),
}
