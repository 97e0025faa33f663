"""The index: one row per image, with what is known of it and a hash of what it shows.

`files.parquet` remembers of every file read its size, time, hash and dimensions, so that a rerun only asks
the file system whether anything changed. `index.parquet` is the table of images built from it, for people and
other tools.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mk11.data.images import content_hash, decode_rgb, reason
from mk11.data.parallel import in_threads
from mk11.errors import UserError
from mk11.files import replacing

KEY = ["id", "size", "mtime"]  # as long as these are the same, the file is
FACT_TYPES = {"width": "int64", "height": "int64", "content_hash": "str", "byte_hash": "str"}
COLUMNS = ["id", "path", "subtype", "group", "source", "um_per_pixel", "width", "height", "content_hash"]
MAX_NAMED = 20  # unreadable images that an error names one by one


@dataclass(frozen=True)
class Index:
    """All images of a data set.

    `images`: RangeIndex; id, path, subtype, group, source, um_per_pixel, width, height (px), content_hash.
    `published`: one row per image and one column of train, val, test or "" per published fold; no column if
    none.
    `skipped`: id and reason of each unreadable image that was left out.
    """

    images: pd.DataFrame
    published: pd.DataFrame
    skipped: dict[str, str]


def build_index(*, listing: pd.DataFrame, folder: Path, on_bad_image: str, threads: int | None) -> Index:
    """Read what is new or changed among the files of a listing; `folder` is where the index is kept.

    Raises:
        UserError: unreadable images (all of them named) under `on_bad_image=error`.
    """
    files, unreadable = read_listing(
        listing=listing, folder=folder, on_bad_image=on_bad_image, threads=threads, key="data"
    )
    if files.empty:
        raise UserError(f"data.root must hold readable images, but all {len(unreadable)} are unreadable")
    images, published = _merge_copies(files)
    _write_if_new(images, folder / "index.parquet")
    return Index(images, published, unreadable)


def read_listing(
    *, listing: pd.DataFrame, folder: Path, on_bad_image: str, threads: int | None, key: str
) -> tuple[pd.DataFrame, dict[str, str]]:
    """A listing's readable files (id, path, ...) with what reading told: width, height, content_hash, ...

    Reads what is new or changed; `folder` is where that is remembered. Beside it: id and reason of each file
    that was left out.

    Raises:
        UserError: unreadable images (all of them named) under `<key>.on_bad_image=error`.
    """
    files, unreadable = _with_facts(listing, folder / "files.parquet", threads)
    if unreadable and on_bad_image == "error":
        raise UserError(_complaint(unreadable, key))
    return files, unreadable


def _complaint(unreadable: dict[str, str], key: str) -> str:
    named = [f"\n  {name}: {reason}" for name, reason in list(unreadable.items())[:MAX_NAMED]]
    more = f"\n  and {len(unreadable) - MAX_NAMED} more" if len(unreadable) > MAX_NAMED else ""
    return (
        f"images must be readable, but {len(unreadable)} are not ({key}.on_bad_image=skip leaves them out):"
        f"{''.join(named)}{more}"
    )


def _with_facts(
    listing: pd.DataFrame, ledger: Path, threads: int | None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """The listing's readable files with what reading them told, and id -> reason for the others."""
    stamps = pd.DataFrame(
        [_stamp(path) for path in listing["path"]], columns=["size", "mtime"], dtype="int64"
    )
    files = listing.join(stamps)
    known = _read_ledger(ledger)
    seen = files[KEY].merge(known[KEY], how="left", indicator=True)["_merge"] == "both"
    new = files[~seen.to_numpy()].drop_duplicates("id")
    fresh, unreadable = _read_files(new, threads)
    if len(fresh):
        # What other listings of the same root have read is kept beside.
        known = pd.concat([known, fresh]).drop_duplicates("id", keep="last", ignore_index=True)
        _write(known, ledger)
    return files.merge(known, on=KEY, how="inner"), unreadable


def _stamp(path: str) -> tuple[int, int]:
    """Size in bytes and modification time in ns; -1 where there is no file."""
    try:
        status = os.stat(path)
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _read_ledger(ledger: Path) -> pd.DataFrame:
    if not ledger.exists():
        types = {"id": "str", "size": "int64", "mtime": "int64", **FACT_TYPES}
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})
    try:
        return pd.read_parquet(ledger)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{ledger} must be as this program wrote it, but is damaged; delete it: {error}"
        ) from error


def _read_files(files: pd.DataFrame, threads: int | None) -> tuple[pd.DataFrame, dict[str, str]]:
    """KEY and facts of the files that can be decoded, and id -> reason for the others."""
    read = in_threads(_facts_reader(), list(files["path"]), threads=threads, title="indexing")
    readable = np.array([not isinstance(facts, str) for facts in read], dtype=bool)
    facts = pd.DataFrame([found for found in read if not isinstance(found, str)], columns=list(FACT_TYPES))
    reasons = [found for found in read if isinstance(found, str)]
    unreadable = dict(zip(files["id"][~readable], reasons, strict=True))
    return files.loc[readable, KEY].reset_index(drop=True).join(facts.astype(FACT_TYPES)), unreadable


def _facts_reader() -> Callable[[str], tuple[int, int, str, str] | str]:
    """A function from a path to its facts, or to the reason why it has none; equal files are decoded once."""
    decoded: dict[str, tuple[int, int, str, str]] = {}

    def read(path: str) -> tuple[int, int, str, str] | str:
        try:
            encoded = Path(path).read_bytes()
            byte_hash = hashlib.blake2b(encoded, digest_size=16).hexdigest()
            if byte_hash not in decoded:
                image = decode_rgb(encoded)
                height, width, _ = image.shape
                decoded[byte_hash] = (width, height, content_hash(image), byte_hash)
            return decoded[byte_hash]
        except (
            Exception
        ) as error:  # decoders raise OSError, SyntaxError, struct.error and more on broken files
            return reason(error)

    return read


def _merge_copies(files: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per image, though each published fold holds a copy; and its split in each of those folds."""
    published = files["fold"] >= 0
    name = files["id"].str.rsplit("/", n=1).str[-1]
    copied = files["id"].mask(published, files["subtype"] + "/" + name + "/" + files["byte_hash"])
    # Twice within one fold is no copy of the layout's making: it stays two images, and the leak check sees
    # it.
    copied += "#" + files.groupby([copied, "fold"]).cumcount().astype(str)
    image = pd.Series(pd.factorize(copied)[0], index=files.index)
    splits = files.assign(image=image)[published].pivot(index="image", columns="fold", values="split")
    first = files[~image.duplicated()]
    order = first.sort_values("id", kind="stable").index
    splits = splits.reindex(image[order]).fillna("").reset_index(drop=True)
    return first.loc[order, COLUMNS].reset_index(drop=True), splits


def _write_if_new(images: pd.DataFrame, path: Path) -> None:
    """The index as a file, its paths relative so that the folder can move."""
    table = images.drop(columns="path").rename(columns={"id": "path"})
    if not path.exists() or not pd.read_parquet(path).equals(table):
        _write(table, path)


def _write(frame: pd.DataFrame, path: Path) -> None:
    with replacing(path) as temporary:
        frame.to_parquet(temporary, index=False)
