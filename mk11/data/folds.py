"""Folds, published, brought by the user or computed once: which images train, validate and test in each.

Computed folds are stratified by subtype and never tear a group (patient, slide) or equal images apart. They
follow from what the images show and from `count`, `seed` and `val_fraction` alone, and are frozen to a CSV
file beside the index. Images that a holdout locks away take part in none of them, whatever their origin: a
further fold, `final`, tests on those and trains on the others.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mk11.data.assign import canonical, deal, share_of, sole_owners, unit_counts
from mk11.data.fold_file import read_folds, write_folds
from mk11.data.holdout import FINAL, HoldoutSettings, locked_images
from mk11.data.index import Index
from mk11.data.settings import Given, check_fraction, check_keys, check_whole
from mk11.errors import UserError

VERSION = 1  # of the way folds are computed; another one leaves frozen files as they are and makes new ones


@dataclass(frozen=True)
class FoldSettings:
    """`data.folds`: count, seed, share of a training part that validates, and a file of the user's own."""

    count: int
    seed: int
    val_fraction: float
    file: Path | None


@dataclass(frozen=True)
class Folds:
    """`splits`: one row per image of the index, one column per fold, of train, val, test or "" (left out).

    With a holdout, the last column is FINAL. `locked` says of each image whether it is locked away. `origin`
    is published, file or computed; `warnings` are sentences for the user.
    """

    splits: pd.DataFrame
    locked: pd.Series
    origin: str
    warnings: list[str]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the folds, without FINAL."""
        return tuple(int(fold) for fold in self.splits.columns if fold != FINAL)


def fold_settings(folds: Given) -> FoldSettings:
    """`data.folds` as the configuration gives it, checked.

    Raises:
        UserError: a key that is missing, or holds what no images could be dealt by.
    """
    check_keys("data.folds", folds, ("count", "seed", "val_fraction", "file"))
    check_whole("data.folds.count", folds["count"], least=2)
    check_whole("data.folds.seed", folds["seed"], least=0)
    check_fraction("data.folds.val_fraction", folds["val_fraction"])
    file = None if folds["file"] is None else Path(str(folds["file"]))
    return FoldSettings(folds["count"], folds["seed"], folds["val_fraction"], file)


def make_folds(index: Index, settings: FoldSettings, holdout: HoldoutSettings, folder: Path) -> Folds:
    """Folds of an index, less what is locked away; computed ones are kept in `folder`.

    Raises:
        UserError: fewer units than folds, or a file of folds or of a holdout that does not fit the images.
    """
    locked = locked_images(index.images, holdout, folder)
    images = index.images[~locked]
    if settings.file is not None:
        splits, origin = read_folds(settings.file, images, "data.folds.file"), "file"
    elif len(index.published.columns):
        splits, origin = index.published.loc[images.index], "published"
    else:
        splits, origin = _frozen(images, settings, folder), "computed"
    splits = _with_validation(splits, images, settings).reindex(index.images.index, fill_value="")
    if locked.any():
        splits[FINAL] = _final(splits, index.images, locked, settings)
    warnings = _scarce(images, settings.count) if origin == "computed" else []
    return Folds(splits, locked, origin, warnings)


def _frozen(images: pd.DataFrame, settings: FoldSettings, folder: Path) -> pd.DataFrame:
    """The computed folds of these images: read if computed before, else computed and kept."""
    content = sorted(images["content_hash"] + "\t" + images["subtype"] + "\t" + images["group"])
    told = [VERSION, settings.count, settings.seed, settings.val_fraction, *content]
    key = hashlib.blake2b("\n".join(map(str, told)).encode(), digest_size=6).hexdigest()
    file = folder / f"folds-{key}.csv"
    if not file.exists():
        splits = compute_folds(
            images, count=settings.count, seed=settings.seed, val_fraction=settings.val_fraction
        )
        write_folds(file, images, splits)
    return read_folds(file, images, "the frozen folds")


def check_fold(fold: int | str, folds: Folds) -> None:
    """UserError unless there is a fold of this number, or a holdout for `final`."""
    if fold == FINAL and not folds.locked.any():
        raise UserError(
            "fold=final must have images locked away to test on, but data.holdout gives neither fraction nor "
            "file"
        )
    if fold not in folds.splits:
        raise UserError(f"fold must be one of {', '.join(map(str, folds.splits))}, but is {fold}")


def compute_folds(images: pd.DataFrame, *, count: int, seed: int, val_fraction: float) -> pd.DataFrame:
    """Stratified, grouped folds of an index table (content_hash, subtype, group), one column per fold.

    Each image is tested in one fold, except those of a unit that alone holds a class: they train in every
    fold.

    Raises:
        UserError: fewer units than folds.
    """
    images = canonical(images)
    counts, units = unit_counts(images)
    kept = sole_owners(counts)
    dealt = np.setdiff1d(np.arange(len(counts)), kept)
    if len(dealt) < count:
        raise UserError(
            f"data.folds.count must be at most {len(dealt)}, the number of groups or images to deal, "
            f"but is {count}"
        )
    tested = np.full(len(counts), -1)
    tested[dealt] = deal(counts[dealt], np.full(count, 1 / count), seed=(seed,))
    columns = {
        fold: _splits(counts, tested == fold, val_fraction, (seed, 1 + fold))[units] for fold in range(count)
    }
    return pd.DataFrame(columns, index=images.index).sort_index()


def _splits(counts: np.ndarray, tested: np.ndarray, val_fraction: float, seed: tuple[int, ...]) -> np.ndarray:
    """Split of each unit in one fold: `tested` ones test, a share `val_fraction` of the others validates."""
    split = np.where(tested, "test", "train")
    rest = np.flatnonzero(~tested)
    split[rest[share_of(counts[rest], val_fraction, seed=seed)]] = "val"
    return split


def _with_validation(splits: pd.DataFrame, images: pd.DataFrame, settings: FoldSettings) -> pd.DataFrame:
    """Published folds without a validation part get one from their training part."""
    splits = splits.copy()
    for fold in [int(fold) for fold in splits.columns if not (splits[fold] == "val").any()]:
        drawn = _train_and_val(images[splits[fold] == "train"], settings, fold)
        splits.loc[drawn.index, fold] = drawn
    return splits


def _train_and_val(images: pd.DataFrame, settings: FoldSettings, stream: int) -> pd.Series:
    """Each of these images in train or val."""
    images = canonical(images)
    if images.empty:
        return pd.Series(dtype="str")
    counts, units = unit_counts(images)
    split = _splits(counts, np.zeros(len(counts), dtype=bool), settings.val_fraction, (settings.seed, stream))
    return pd.Series(split[units], index=images.index)


def _final(
    splits: pd.DataFrame, images: pd.DataFrame, locked: pd.Series, settings: FoldSettings
) -> pd.Series:
    """Splits of the final fold: what is locked away tests, what any fold uses trains or validates."""
    final = pd.Series("", index=images.index, dtype="str").mask(locked, "test")
    final.update(_train_and_val(images[(splits != "").any(axis=1)], settings, 0))
    return final


def _scarce(images: pd.DataFrame, count: int) -> list[str]:
    """A sentence for each class that cannot be on every side of every fold."""
    counts, _ = unit_counts(canonical(images))
    units = (counts > 0).sum(0)
    thing = "group" if (images["group"] != "").any() else "image"
    names = np.unique(images["subtype"].to_numpy(dtype=str))
    return [
        f"class {name} has 1 {thing}: it trains in every fold and is never tested"
        if number == 1
        else f"class {name} has {number} {thing}s, fewer than the {count} folds: some do not test it"
        for name, number in zip(names, units.astype(int), strict=True)
        if number < count
    ]
