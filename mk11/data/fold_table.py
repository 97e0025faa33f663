"""One fold, its table, and the fingerprints of what it and its data set hold."""

import hashlib
from dataclasses import dataclass

import pandas as pd

from mk11.data.cache import Pixels


@dataclass(frozen=True)
class Fold:
    """One fold of a data set.

    `table`: RangeIndex; id (path relative to the root), path, subtype, label (position in `classes`), group
    ("" = unknown), source, width, height (px), um_per_pixel (NaN = unknown), content_hash, split (train, val
    or test).
    `fold`: its number, or `final`: the fold that tests on the images that a holdout locks away.
    `fingerprint`: 16 hex digits over contents, labels, groups, scales and splits; where the files lie does
    not matter. `set_fingerprint`: the same over all images and the splits of all folds.
    `folds`: numbers of all folds of the data set. `holdout`: images locked away from them.
    `marks`: what every table made from this fold must show: leaks, skipped, conflicts, warnings; empty when
    clean.
    `pixels`: decoded image of each row of `table`.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    fold: int | str
    fingerprint: str
    set_fingerprint: str
    folds: tuple[int, ...]
    holdout: int
    marks: dict[str, object]
    pixels: Pixels

    @property
    def number(self) -> int:
        """The fold's number in tables, where the final fold is -1."""
        return self.fold if isinstance(self.fold, int) else -1


@dataclass(frozen=True)
class HeldOut:
    """Images that are kept for judging, by content hash, and the known groups (patients) they are of."""

    hashes: frozenset[str]
    groups: frozenset[str]
    ungrouped: int  # images whose group is not known


def fold_table(images: pd.DataFrame, split: pd.Series, classes: tuple[str, ...], name: str) -> pd.DataFrame:
    """Images that take part in a fold, with `split` and `label`; `name` stands in for an unknown source.

    In the order of their contents: order and augmentation of training follow row numbers, so that equal
    fingerprints mean equal results, whatever the files are called.
    """
    table = images.assign(
        split=split.loc[images.index],
        label=images["subtype"].map({subtype: label for label, subtype in enumerate(classes)}),
        source=images["source"].replace("", name),
    )
    table = table[table["split"] != ""]
    # `id` last: it decides only between rows that are equal in all that the fingerprint sees.
    order = ["content_hash", "subtype", "group", "um_per_pixel", "split", "id"]
    return table.sort_values(order, ignore_index=True)


def fingerprint(table: pd.DataFrame) -> str:
    """16 hex digits over what a fold consists of, whatever the order of rows and the names of files."""
    return _digest(_told(table, table["split"]))


def set_fingerprint(images: pd.DataFrame, splits: pd.DataFrame) -> str:
    """16 hex digits over all images of a data set and their splits in every fold: one for all its folds."""
    rows = splits.loc[images.index]
    named = ",".join(map(str, rows))  # which folds there are
    return _digest([named, *_told(images, *(rows[fold] for fold in rows))])


def _told(images: pd.DataFrame, *splits: pd.Series) -> list[str]:
    scale = images["um_per_pixel"].map("{:.6g}".format)
    columns = (images["content_hash"], images["subtype"], images["group"], scale, *splits)
    return sorted(map("\t".join, zip(*columns, strict=True)))


def _digest(lines: list[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()
