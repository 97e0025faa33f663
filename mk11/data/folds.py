"""Folds, published, brought by the user or computed once: which images train, validate and test in each.

Computed folds are stratified by subtype and never tear a group (patient, slide) or equal images apart. They
follow from what the images show and from `count`, `seed` and `val_fraction` alone, and are frozen to a CSV
file beside the index.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mk11.data.assign import count_classes, deal, sole_owners, units_of
from mk11.data.index import Index
from mk11.data.layouts import SPLITS
from mk11.data.settings import Given, check_fraction, check_keys, check_whole
from mk11.errors import UserError
from mk11.files import replacing

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

    `origin` is published, file or computed; `warnings` are sentences for the user.
    """

    splits: pd.DataFrame
    origin: str
    warnings: list[str]


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


def make_folds(index: Index, settings: FoldSettings, folder: Path) -> Folds:
    """Folds of an index; computed ones are kept in `folder`.

    Raises:
        UserError: fewer units than folds, or a fold file that does not fit the images.
    """
    if settings.file is not None:
        splits, origin = read_folds(settings.file, index.images, "data.folds.file"), "file"
    elif len(index.published.columns):
        splits, origin = index.published, "published"
    else:
        splits, origin = _frozen(index.images, settings, folder), "computed"
    warnings = _scarce(index.images, settings.count) if origin == "computed" else []
    return Folds(_with_validation(splits, index.images, settings), origin, warnings)


def read_folds(file: Path, images: pd.DataFrame, named: str) -> pd.DataFrame:
    """Splits from a CSV file with a column `path` and columns `fold_<k>` of train, val, test or nothing."""
    if not file.is_file():
        raise UserError(f"{named} must be an existing CSV file, but is {file}")
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    names = [str(name) for name in table]
    columns = {name: int(name[5:]) for name in names if re.fullmatch(r"fold_\d+", name)}
    if "path" not in table or not columns:
        raise UserError(
            f"{file} must have a column path and columns fold_0, fold_1, ..., but has {', '.join(names)}"
        )
    splits = table.drop_duplicates("path").set_index("path")[list(columns)].rename(columns=columns)
    missing = images.loc[~images["id"].isin(splits.index), "id"]
    if len(missing):
        raise UserError(f"{file} must name every image, but lacks {len(missing)}, such as {missing.iloc[0]}")
    splits = splits.loc[images["id"]].reset_index(drop=True)
    wrong = set(np.unique(splits.to_numpy(dtype=str))) - {*SPLITS, ""}
    if wrong:
        raise UserError(f"splits in {file} must be train, val, test or empty, but one is {min(wrong)}")
    return splits[sorted(columns.values())]


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
        table = splits.add_prefix("fold_").assign(
            path=images["id"], subtype=images["subtype"], group=images["group"]
        )
        with replacing(file) as temporary:
            table[["path", "subtype", "group", *splits.add_prefix("fold_")]].to_csv(temporary, index=False)
    return read_folds(file, images, "the frozen folds")


def compute_folds(images: pd.DataFrame, *, count: int, seed: int, val_fraction: float) -> pd.DataFrame:
    """Stratified, grouped folds of an index table (content_hash, subtype, group), one column per fold.

    Each image is tested in one fold, except those of a unit that alone holds a class: they train in every
    fold.

    Raises:
        UserError: fewer units than folds.
    """
    canonical = images.sort_values(["content_hash", "subtype", "group"])  # file names must not matter
    counts, units = _units(canonical)
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
    return pd.DataFrame(columns, index=canonical.index).sort_index()


def _units(images: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Class counts of each unit, and each image's unit, numbered in order of first appearance."""
    units = units_of(images["group"].to_numpy(dtype=str), images["content_hash"].to_numpy(dtype=str))
    units = pd.factorize(units)[0]
    labels = np.unique(images["subtype"].to_numpy(dtype=str), return_inverse=True)[1]
    return count_classes(units, labels), units


def _splits(counts: np.ndarray, tested: np.ndarray, val_fraction: float, seed: tuple[int, ...]) -> np.ndarray:
    """Split of each unit in one fold: `tested` ones test, a share `val_fraction` of the others validates."""
    split = np.where(tested, "test", "train")
    rest = np.flatnonzero(~tested)
    candidates = np.delete(rest, sole_owners(counts[rest]))  # what alone holds a class must train
    if len(candidates):
        part = deal(counts[candidates], np.array([1 - val_fraction, val_fraction]), seed=seed)
        split[candidates[part == 1]] = "val"
    return split


def _with_validation(splits: pd.DataFrame, images: pd.DataFrame, settings: FoldSettings) -> pd.DataFrame:
    """Published folds without a validation part get one from their training part."""
    splits = splits.copy()
    for fold in [int(fold) for fold in splits.columns if not (splits[fold] == "val").any()]:
        training = images[splits[fold] == "train"].sort_values(["content_hash", "subtype", "group"])
        if len(training):
            counts, units = _units(training)
            split = _splits(
                counts, np.zeros(len(counts), dtype=bool), settings.val_fraction, (settings.seed, fold)
            )
            splits.loc[training.index, fold] = split[units]
    return splits


def _scarce(images: pd.DataFrame, count: int) -> list[str]:
    """A sentence for each class that cannot be on every side of every fold."""
    counts, _ = _units(images.sort_values(["content_hash", "subtype", "group"]))
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
