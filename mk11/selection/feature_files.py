"""Features on disk: parts that are added and never changed, under a folder for each way to compute them.

`<folder>/<key>/about.json` says what was computed, `part-*.npz` hold names and vectors of some images each. A
part is whole or absent, so that a killed process leaves what it had finished.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mk11.errors import UserError
from mk11.files import read_json, replacing, write_json

Vector = Float[np.ndarray, " dim"]


class FeatureFiles:
    """The parts in one folder."""

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Opens or begins the folder.

        Raises:
            UserError: It holds features that were computed otherwise.
        """
        self.folder = folder
        told = json.loads(json.dumps(about))
        file = folder / "about.json"
        if not file.exists():
            write_json(file, told)
        elif read_json(file) != told:
            raise UserError(f"{folder} must hold features of {told}, but holds others; delete it")

    def read(self, names: Sequence[str]) -> dict[str, Vector]:
        """Vectors of those of `names` that are there."""
        wanted = set(names)
        found: dict[str, Vector] = {}
        for part in self._parts():
            found.update(_read(part, wanted - found.keys()))
        return found

    def add(self, names: Sequence[str], vectors: Float[np.ndarray, "images dim"]) -> None:
        """Write a part; the caller holds the folder's lock, and names are not in any other part."""
        for left in self.folder.glob(".part-*.tmp"):  # by a process that was killed
            left.unlink(missing_ok=True)
        last = max((int(part.stem.removeprefix("part-")) for part in self._parts()), default=-1)
        path = self.folder / f"part-{last + 1:06d}.npz"
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, names=np.array(names), vectors=vectors)

    def _parts(self) -> list[Path]:
        return sorted(self.folder.glob("part-*.npz"))


def _read(part: Path, wanted: set[str]) -> dict[str, Vector]:
    """Vectors are only decoded where a name is wanted."""
    try:
        with np.load(part, allow_pickle=False) as content:
            rows = [row for row, name in enumerate(content["names"].tolist()) if name in wanted]
            vectors = content["vectors"][rows] if rows else ()
            return dict(zip(content["names"][rows].tolist(), vectors, strict=True)) if rows else {}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{part} must be as this program wrote it, but is damaged; delete it: {error}"
        ) from error
