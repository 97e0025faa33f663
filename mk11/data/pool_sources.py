"""Where a pool's images come from: the fold's training split, a folder, or a manifest that names files."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from mk11.data.cache import DecodedPixels, Pixels, cached_pixels
from mk11.data.cells import CellData
from mk11.data.fold_table import Fold
from mk11.data.index import read_listing
from mk11.data.layouts import images_below
from mk11.data.place import side_folder
from mk11.data.pool_manifest import check_hashes, read_manifest
from mk11.errors import UserError

KINDS = ("training", "folders", "manifests")


@dataclass(frozen=True)
class Source:
    """Images of one origin.

    `images`: RangeIndex; id, path, content_hash, width, height, um_per_pixel, group, source.
    `pixels`: from some rows of it to their decoded images. `skipped`: id and reason of unreadable files.
    """

    kind: str
    images: pd.DataFrame
    pixels: Callable[[pd.DataFrame], Pixels]
    skipped: dict[str, str] = field(default_factory=dict)


def training_source(fold: Fold) -> Source:
    """The training images of a fold; their labels are not looked at."""
    rows = np.flatnonzero((fold.table["split"] == "train").to_numpy())
    images = fold.table.iloc[rows].drop(columns=["label", "subtype", "split"])
    return Source(
        "training", images.reset_index(drop=True), lambda used: _Rows(fold.pixels, rows[used.index])
    )


def folder_source(root: Path, *, data: CellData, um_per_pixel: float | None) -> Source:
    """All images anywhere below a folder; hidden folders and other suffixes are left out.

    Raises:
        UserError: no such folder, no image in it, or an unreadable one under data.on_bad_image=error.
    """
    if not root.is_dir():
        raise UserError(f"pool.folders must be existing folders, but there is no {root}")
    names = list(images_below(root))
    if not names:
        raise UserError(f"pool.folders must hold images, but {root} holds none")
    listing = pd.DataFrame({"id": names, "path": [os.path.join(root, name) for name in names]})
    listing = listing.assign(um_per_pixel=np.nan if um_per_pixel is None else um_per_pixel, group="")
    return _read("folders", listing.assign(source=root.name), root, data)


def manifest_source(file: Path, *, data: CellData, um_per_pixel: float | None) -> Source:
    """The images that a table (Parquet or CSV) names; `um_per_pixel` stands in where it tells no scale.

    What it may say of each is told in `mk11.data.pool_manifest`. Images of a held-out `group` are left out.

    Raises:
        UserError: no such table or image, a scale that is none, or an image that is not what was selected.
    """
    table = read_manifest(file)
    listing = pd.DataFrame(
        {
            "id": table["path"],
            "path": [os.path.join(file.parent, name) for name in table["path"]],
            "um_per_pixel": table["um_per_pixel"].fillna(np.nan if um_per_pixel is None else um_per_pixel),
            "group": table["group"],
            "source": file.name,
        }
    )
    source = _read("manifests", listing, file.parent, data)
    check_hashes(source.images, table.set_index("path")["content_hash"], file)
    return source


def _read(kind: str, listing: pd.DataFrame, root: Path, data: CellData) -> Source:
    """Hashes and sizes of a listing's files, and their cached pixels; kept beside them like a data set's."""
    folder = side_folder(root, data.work_dir)
    with FileLock(folder / "index.lock"):
        files, skipped = read_listing(
            listing=listing, folder=folder, on_bad_image=data.on_bad_image, threads=data.threads, key="data"
        )
    name = hashlib.blake2b(f"pool {kind} {listing['source'][0]}".encode(), digest_size=3).hexdigest()

    def pixels(used: pd.DataFrame) -> Pixels:
        if not data.cache or used.empty:
            return DecodedPixels(tuple(used["path"]))
        return cached_pixels(images=files, rows=used, folder=folder, listing=name, threads=data.threads)

    return Source(kind, files.reset_index(drop=True), pixels, skipped)


@dataclass(frozen=True)
class _Rows:
    """Some rows of decoded images."""

    pixels: Pixels
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> np.ndarray:
        return self.pixels[int(self.rows[row])]
