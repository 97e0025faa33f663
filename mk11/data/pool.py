"""The pool that pre-training learns from: any mix of a fold's training images, folders and manifests.

A fold's validation and test images and the holdout are never in it: they are known by their pixels, so that a
copy under another name or in another lossless format is found, and images without labels that look like one
(saved again as JPEG, recoloured, shifted) are left out too. What the sources hold twice is used once.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int, UInt8

from mk11.data.cache import Pixels
from mk11.data.cells import CellData
from mk11.data.fold_table import Fold
from mk11.data.near_duplicates import BITS
from mk11.data.pool_screening import counts_told, of_others, screened, transductive
from mk11.data.pool_sources import KINDS, Source, folder_source, manifest_source, training_source
from mk11.data.settings import Given, check_choice, check_positive, check_whole
from mk11.errors import UserError

COLUMNS = ["id", "content_hash", "width", "height", "um_per_pixel", "group", "source"]


@dataclass(frozen=True)
class JoinedPixels:
    """Decoded images of several sources, as one."""

    parts: tuple[Pixels, ...]
    part: Int[np.ndarray, " rows"]  # whose image a row is
    row: Int[np.ndarray, " rows"]  # and which of its images

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, row: int) -> UInt8[np.ndarray, "height width 3"]:
        return self.parts[self.part[row]][int(self.row[row])]


@dataclass(frozen=True)
class PoolImages:
    """The images of a pool.

    `table`: RangeIndex; id, content_hash, width, height (px), um_per_pixel (NaN = unknown), group ("" =
    unknown), source. In the order of contents: the order of training follows row numbers, so that equal
    fingerprints mean equal results, whatever files are called.
    `fingerprint`: 16 hex digits over contents and scales.
    `counts`: images that each kind of source brought, those left out and why, and those used.
    `skipped`: id and reason of each unreadable image that was left out.
    `transductive`: how many images may be of held-out patients, in words; None where none can be.
    """

    table: pd.DataFrame
    pixels: Pixels
    fingerprint: str
    counts: dict[str, int]
    skipped: dict[str, str]
    transductive: str | None


class Pool:
    """What conf/pool names; every argument is a key explained there.

    Raises:
        UserError: a value that its key cannot hold, or no source at all; instantiate() wraps it.
    """

    def __init__(
        self,
        *,
        training: Given,
        folders: Given,
        manifests: Given,
        um_per_pixel: Given,
        near_duplicates: Given,
    ) -> None:
        check_choice("pool.training", training, (True, False))
        if near_duplicates is not None:
            check_whole("pool.near_duplicates", near_duplicates, least=0)
            if near_duplicates >= BITS:
                raise UserError(
                    f"pool.near_duplicates must be below the {BITS} bits there are, but is {near_duplicates}"
                )
        if um_per_pixel is not None:
            check_positive("pool.um_per_pixel", um_per_pixel)
        self.training, self.um_per_pixel, self.near_duplicates = training, um_per_pixel, near_duplicates
        self.folders = _paths("pool.folders", folders)
        self.manifests = _paths("pool.manifests", manifests)
        if not (training or self.folders or self.manifests):
            raise UserError(
                "pool must have a source, but it has no folder, no manifest and no training images"
            )

    def gather(self, data: CellData, fold: Fold) -> PoolImages:
        """The images of all sources that a network for this fold may see, each once.

        Raises:
            UserError: a source that is not there or damaged, or no image left.
        """
        sources, held_out = self._sources(data, fold), data.held_out(fold.fold)
        table, left_out = screened(sources, held_out, data, radius=self.near_duplicates)
        brought = {kind: sum(len(one.images) for one in sources if one.kind == kind) for kind in KINDS}
        counts = {**brought, **left_out, "used": len(table)}
        if table.empty:
            raise UserError(f"pool must hold images that may be seen, but has {counts_told(counts)}")
        return PoolImages(
            table=table[COLUMNS],
            pixels=_joined(table, sources),
            fingerprint=_fingerprint(table),
            counts=counts,
            skipped={name: reason for one in sources for name, reason in one.skipped.items()},
            transductive=transductive(table.loc[of_others(table, sources), "group"], held_out),
        )

    def _sources(self, data: CellData, fold: Fold) -> list[Source]:
        """The fold's own images first: of copies the first is used, and their scales and groups are known."""
        own = [training_source(fold)] if self.training else []
        scale = self.um_per_pixel
        folders = [folder_source(path, data=data, um_per_pixel=scale) for path in self.folders]
        manifests = [manifest_source(path, data=data, um_per_pixel=scale) for path in self.manifests]
        return [*own, *folders, *manifests]


def _joined(table: pd.DataFrame, sources: Sequence[Source]) -> Pixels:
    """The images of `table` in its order; each source opens only what is used of it."""
    part, place = table["part"].to_numpy(), np.zeros(len(table), np.int64)
    opened = []
    for number, source in enumerate(sources):
        rows = np.flatnonzero(part == number)
        place[rows] = np.arange(len(rows))
        used = source.images.iloc[table["row"].to_numpy()[rows]]
        opened.append(source.pixels(used))
    return JoinedPixels(tuple(opened), part.astype(np.int64), place)


def _fingerprint(table: pd.DataFrame) -> str:
    scale = table["um_per_pixel"].map("{:.6g}".format)
    lines = sorted(map("\t".join, zip(table["content_hash"], scale, strict=True)))
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()


def _paths(key: str, values: Given) -> list[Path]:
    """A list of paths; one path alone will do."""
    listed = [values] if isinstance(values, str | Path) else values
    if not isinstance(listed, list) or not all(isinstance(one, str | Path | int) for one in listed):
        raise UserError(f"{key} must be a list of paths, but is {values}")
    return [Path(str(one)).expanduser().absolute() for one in listed]
