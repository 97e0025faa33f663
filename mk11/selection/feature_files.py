"""Features on disk: parts that are added and never changed, under a folder for each way to compute them.

`<folder>/<key>/about.json` says what was computed, `part-*.npz` hold names and vectors of some images each. A
part is whole or absent, so that a killed process leaves what it had finished.
"""

import json
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mk11.errors import UserError
from mk11.files import read_json, replacing, write_json


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

    def known(self, names: Sequence[str]) -> set[str]:
        """Those of `names` that are there."""
        there: set[str] = set()
        for part in self._parts():
            there.update(_content(part, "names").tolist())
        return there.intersection(names)

    def read(self, names: Sequence[str]) -> Float[np.ndarray, "images dim"]:
        """Vectors in the order of `names`, which may repeat; all of them are there.

        Filled part by part: those of ten thousand fields take a gigabyte, and should not take it twice.
        """
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(names):
            rows.setdefault(name, []).append(row)
        vectors = np.empty((len(names), 0), np.float32)
        for part in self._parts():
            for name, vector in _vectors(part, rows.keys()):
                if not vectors.size:
                    vectors = np.empty((len(names), len(vector)), vector.dtype)
                vectors[rows[name]] = vector
        return vectors

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


def _vectors(part: Path, wanted: Collection[str]) -> Iterator[tuple[str, Float[np.ndarray, " dim"]]]:
    """Those of a part that are wanted; only decoded where one is."""
    places = [(place, name) for place, name in enumerate(_content(part, "names").tolist()) if name in wanted]
    vectors = _content(part, "vectors") if places else ()
    for place, name in places:
        yield name, vectors[place]


def _content(part: Path, name: str) -> np.ndarray:
    """One array of a part; only that one is decoded."""
    try:
        with np.load(part, allow_pickle=False) as content:
            return content[name]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{part} must be as this program wrote it, but is damaged; delete it: {error}"
        ) from error
