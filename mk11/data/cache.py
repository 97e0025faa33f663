"""Decoded images in one flat file, so that no image is decoded twice.

`cache-<listing>-<key>/pixels.u8` holds the distinct images of an index one after the other, in the order of
their content hashes: rows of RGB bytes, sizes as they are. The key is a hash of the contents, so the same
file serves every fold, label map and order of rows, and a changed image makes a new one.
"""

import fcntl
import hashlib
import mmap
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from filelock import FileLock
from jaxtyping import Int, UInt8

from mk11.data.images import content_hash, read_rgb
from mk11.data.parallel import in_threads
from mk11.errors import UserError

PIXELS = "pixels.u8"


@runtime_checkable
class Pixels(Protocol):
    """Decoded images by row; may be pickled, and used in forked and spawned workers."""

    def __len__(self) -> int: ...
    def __getitem__(self, row: int) -> UInt8[np.ndarray, "height width 3"]: ...


@dataclass(frozen=True)
class DecodedPixels:
    """Images decoded each time they are asked for."""

    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> UInt8[np.ndarray, "height width 3"]:
        return read_rgb(Path(self.paths[row]))


class CachedPixels:
    """Images copied out of a memory-mapped cache file.

    The file is opened on first use, in each process for itself, and held with a shared lock: a run that
    replaces the cache leaves it alone as long as anyone reads it.
    """

    def __init__(
        self, file: Path, offsets: Int[np.ndarray, " rows"], sizes: Int[np.ndarray, "rows 2"]
    ) -> None:
        self.file, self.offsets, self.sizes = file, offsets, sizes
        self._opened: tuple[IO[bytes], UInt8[np.ndarray, " bytes"]] | None = None

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, row: int) -> UInt8[np.ndarray, "height width 3"]:
        height, width = self.sizes[row]
        start = self.offsets[row]
        return self.open()[start : start + height * width * 3].reshape(height, width, 3).copy()

    def open(self) -> UInt8[np.ndarray, " bytes"]:
        """The mapped file: all images' bytes."""
        if self._opened is None:
            handle = open(self.file, "rb")  # noqa: SIM115  closed with this object
            fcntl.flock(handle, fcntl.LOCK_SH)
            mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
            self._opened = handle, np.frombuffer(mapped, np.uint8)
        return self._opened[1]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_opened": None}

    def __del__(self) -> None:
        if self._opened is not None:
            self._opened[0].close()


def cached_pixels(
    *, images: pd.DataFrame, rows: pd.DataFrame, folder: Path, listing: str, threads: int | None
) -> CachedPixels:
    """Pixels of `rows`, from a cache of all `images` of the index (both: path, content_hash, width, height).

    Builds the cache if it is not there; several processes that start at once build it once. Earlier caches
    of the same `listing` are removed unless in use.

    Raises:
        UserError: no room for it, or an image that changed since it was indexed.
    """
    distinct = images.drop_duplicates("content_hash").sort_values("content_hash", ignore_index=True)
    size = distinct["width"] * distinct["height"] * 3  # bytes
    offsets = size.cumsum() - size
    place = folder / f"cache-{listing}-{_key(distinct)}"
    order = pd.Index(distinct["content_hash"]).get_indexer(rows["content_hash"])
    pixels = CachedPixels(place / PIXELS, offsets.to_numpy()[order], rows[["height", "width"]].to_numpy())
    with FileLock(folder / "cache.lock"):
        if not place.exists():
            _build(distinct, offsets, int(size.sum()), place, threads)
        pixels.open()
        _remove_others(place, f"cache-{listing}-*")
    return pixels


def _key(distinct: pd.DataFrame) -> str:
    return hashlib.blake2b("\n".join(distinct["content_hash"]).encode(), digest_size=8).hexdigest()


def _build(distinct: pd.DataFrame, offsets: pd.Series, size: int, place: Path, threads: int | None) -> None:
    free = shutil.disk_usage(place.parent).free
    if size > free:
        raise UserError(
            f"data.cache must find {size / 1e9:.1f} GB in {place.parent}, but {free / 1e9:.1f} GB are free "
            "(data.cache=false does without, data.work_dir names another place)"
        )
    for left in place.parent.glob(".cache-*.tmp"):  # by a run that was killed: the lock is ours
        shutil.rmtree(left)
    temporary = place.parent / f".{place.name}.tmp"
    temporary.mkdir()
    jobs = list(zip(distinct["path"], distinct["content_hash"], offsets, strict=True))
    with open(temporary / PIXELS, "wb") as handle:
        handle.truncate(size)
        in_threads(lambda job: _copy(handle.fileno(), *job), jobs, threads=threads, title="caching")
    os.rename(temporary, place)


def _copy(file: int, path: str, expected: str, offset: int) -> None:
    image = read_rgb(Path(path))
    if content_hash(image) != expected:
        raise UserError(f"images must not change while they are read, but {path} did; start again")
    os.pwrite(file, image.tobytes(), offset)


def _remove_others(place: Path, pattern: str) -> None:
    """Remove other caches that match, unless a process reads them."""
    for other in place.parent.glob(pattern):
        if other != place and not _in_use(other / PIXELS):
            shutil.rmtree(other, ignore_errors=True)


def _in_use(file: Path) -> bool:
    try:
        with open(file, "rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False
