"""The identity of a run: a hash of content, so that the same command finds its own folder again."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

VERSION = 1

# Keys that change a result by rounding at most. What the fold's fingerprint leaves of `data` comes in below.
IRRELEVANT = (
    "analysis",
    "data",
    "dry",
    "experiment",
    "jobs",
    "jobs_per_gpu",
    "jobs_timeout",
    "logger",
    "model.weights",  # its content hash is part of the identity instead
    "name",
    "rerun",
    "runs",
    "select",  # known by the identity of the selection instead
    "stage",
    "threads",
    "trainer.accelerator",
    "trainer.precision",  # the resolved one is part of the identity instead
    "trainer.progress",
    "trainer.strategy",
    "workers",
)

# Values that mean "as if this key did not exist": a new key, neutral by default, orphans no finished run.
NEUTRAL: Mapping[str, object] = {
    "accumulate": 1,
    "clip_norm": None,
    "data.target_um_per_pixel": None,
    "ema_decay": 0.0,
    "model.allow_partial": False,
    "model.options": {},
    "optim.reference_compatible": False,
    "trainer.compile": False,
    "trainer.devices": 1,
    "trainer.num_nodes": 1,
}


def flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and leaf values of a nested mapping; lists and empty mappings are leaves."""
    for key, value in config.items():
        dotted = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{dotted}.")
        else:
            yield dotted, value


def relevant(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a resolved config can change the result, as dotted keys."""
    kept = {key: value for key, value in flatten(config) if not _irrelevant(key)}
    kept |= {f"data.{key}": config["data"].get(key) for key in ("resize", "target_um_per_pixel")}
    kept = {key: _as_float(value) for key, value in kept.items() if not _without_effect(key, config)}
    return {key: value for key, value in kept.items() if key not in NEUTRAL or NEUTRAL[key] != value}


def _as_float(value: object) -> object:
    """Whole numbers as 1.0, so that `clip_norm=1` and `clip_norm=1.0` are one run."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _without_effect(key: str, config: Mapping[str, Any]) -> bool:
    """Whether another key switches this one off."""
    mix = config.get("mix", {})
    if key.startswith("pretrain."):
        return not str(config["model"]["weights"]).startswith("stage:")
    if key.startswith("mix."):
        return not (mix.get("mixup_alpha") or mix.get("cutmix_alpha"))
    return key == "data.target_um_per_pixel" and config["data"]["resize"] != "fixed_scale"


def _irrelevant(key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in IRRELEVANT)


def identity(config: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """Eight hex digits over config and content.

    Args:
        config: The resolved config as plain containers.
        content: What stands behind the config: the fold's fingerprint, the classes in their order, the hash
            of the starting weights, the resolved precision.
    """
    told = {"version": VERSION, "config": relevant(config), "content": content}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:8]
