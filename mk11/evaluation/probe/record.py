"""`probe.json` beside an encoder: what was found on which fold, by which settings."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from mk11.evaluation.probe.data import Asked
from mk11.evaluation.probe.encoders import Encoder, Ready
from mk11.evaluation.probe.measure import Settings
from mk11.files import read_json, write_json
from mk11.runs.environment import commit, versions

FILE = "probe.json"
VERSION = 2


def entry(
    asked: Asked, settings: Settings, found: Mapping[str, Any], *, precision: str, class_token: bool
) -> dict[str, Any]:
    """One fold's result with where it comes from."""
    fold = asked.fold
    return {
        "class_token": class_token,  # the features: the class token, else the network's own average
        "data": {
            "name": asked.data.name,
            "fold": fold.fold,
            "fingerprint": fold.fingerprint,
            "set": fold.set_fingerprint,
            "classes": list(fold.classes),
            "images": fold.table["split"].value_counts().to_dict(),
            "resize": asked.data.resize,
            "target_um_per_pixel": asked.data.target_um_per_pixel,
            "marks": asked.marks,
        },
        "settings": asdict(settings),
        **found,
        "precision": precision,
        "commit": commit(),
        "versions": versions(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_probe(encoder: Encoder, ready: Ready, results: list[dict[str, Any]]) -> Path:
    """Add results to the encoder's `probe.json`.

    One of the same fold of the same data, scaled and pooled alike, takes the place of the earlier one. What
    another encoder at this place once left goes.
    """
    path = encoder.home / FILE
    told = {
        "name": encoder.name,
        "hash": encoder.hash,
        "image_size": encoder.image_size,
        "mean": list(ready.mean),
        "std": list(ready.std),
        **{key: value for key, value in encoder.about.items() if key != "class_token"},  # of each result
    }
    encoder.home.mkdir(parents=True, exist_ok=True)
    with FileLock(encoder.home / f".{FILE}.lock"):
        new = {_key(result): result for result in results}
        write_json(
            path, {"version": VERSION, "encoder": told, "results": [*_kept(path, told, new), *results]}
        )
    return path


def _kept(path: Path, told: Mapping[str, Any], new: Mapping[Any, Any]) -> list[dict[str, Any]]:
    before = read_json(path) if path.exists() else {}
    encoder = before.get("encoder") or {}
    if encoder.get("hash") != told["hash"]:
        return []
    # Version 1 said of all results together how they were pooled.
    earlier = [{"class_token": bool(encoder.get("class_token")), **one} for one in before.get("results", [])]
    return [result for result in earlier if _key(result) not in new]


def _key(result: Mapping[str, Any]) -> tuple[object, ...]:
    told = (result["data"].get(key) for key in ("fingerprint", "resize", "target_um_per_pixel"))
    return (result["class_token"], *told)
