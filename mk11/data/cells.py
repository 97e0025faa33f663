"""A data set of single cells, from its folder to one fold of decoded images."""

import hashlib
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from mk11.data.cache import DecodedPixels, Pixels, cached_pixels
from mk11.data.fold_table import Fold, HeldOut, fingerprint, fold_table, set_fingerprint
from mk11.data.folds import Folds, check_fold, fold_settings, make_folds
from mk11.data.groups import groups_from_paths
from mk11.data.holdout import check_holdout, holdout_settings
from mk11.data.index import Index, build_index
from mk11.data.label_map import Relabelled, read_label_map, relabel
from mk11.data.layouts import CsvFormat, list_files
from mk11.data.leaks import check_coverage, check_leaks, check_splits, resolve_conflicts
from mk11.data.place import side_folder
from mk11.data.settings import Given, check_choice, check_keys, check_positive, check_whole

CHOICES = {
    "on_leak": ("auto", "stop", "warn"),
    "on_conflict": ("keep", "drop"),
    "on_bad_image": ("error", "skip"),
    "cache": (True, False),
}


class CellData:
    """Cells in a folder; every argument is a key of conf/data/base/defaults.yaml and explained there.

    Raises:
        UserError: a value that its key cannot hold; instantiate() wraps it.
    """

    def __init__(
        self,
        *,
        name: Given,
        root: Given,
        layout: str,
        file: Given,
        columns: Given,
        path_format: Given,
        um_per_pixel: Given,
        group_regex: Given,
        label_map: Given,
        folds: Given,
        holdout: Given,
        on_leak: str,
        on_conflict: str,
        on_bad_image: str,
        cache: Given,
        work_dir: Given,
        threads: Given,
        resize: str,
        target_um_per_pixel: Given,
        generate: Callable[[Path], object] | None = None,
    ) -> None:
        # Names are taken as text: YAML reads a folder called 2024 as a number.
        self.name, self.root, self.layout = str(name), Path(str(root)).expanduser().absolute(), layout
        self.file = None if file is None else _csv_file(Path(str(file)), self.root)
        check_keys("data.columns", columns, ("path", "subtype", "group", "um_per_pixel"))
        named = {role: str(column) for role, column in columns.items()}
        self.csv_format = CsvFormat(named, str(path_format))
        self.um_per_pixel, self.label_map = um_per_pixel, label_map
        self.group_regex = None if group_regex is None else str(group_regex)
        self.fold_settings, self.holdout_settings = fold_settings(folds), holdout_settings(holdout)
        self.on_leak, self.on_conflict, self.on_bad_image = on_leak, on_conflict, on_bad_image
        self.work_dir = None if work_dir is None else Path(str(work_dir))
        self.cache, self.threads = cache, threads
        self.resize, self.target_um_per_pixel = resize, target_um_per_pixel
        self.generate = generate
        self._check()

    @property
    def fold_numbers(self) -> tuple[int, ...]:
        """Numbers of all folds; the final one has none."""
        return self._indexed[1].numbers

    def fold(self, fold: int | str) -> Fold:
        """Fold number `fold`, or `final`: indexed, split, checked and decoded, but nothing of it twice.

        Raises:
            UserError: whatever is wrong with the data or its configuration, in one sentence.
        """
        index, folds = self._indexed
        check_fold(fold, folds)
        relabelled = self.labelled()
        images, conflicts = resolve_conflicts(relabelled.images, on_conflict=self.on_conflict)
        table = fold_table(images, folds.splits[fold], relabelled.classes, self.name)
        check_splits(table, relabelled.classes, fold)
        policy = self._leak_policy(folds, table)
        leaks = check_leaks(table, on_leak=policy, fold=fold)
        locked = folds.locked.loc[images.index]
        told = check_holdout(images, locked, relabelled.classes, on_leak=policy)
        warnings = [*folds.warnings, *told]
        if folds.origin == "published":
            numbered = folds.splits.loc[images.index[~locked], list(folds.numbers)]
            warnings += check_coverage(images[~locked], numbered, on_leak=policy)
        skipped = [{"id": name, "reason": reason} for name, reason in index.skipped.items()]
        marks = {"leaks": leaks, "skipped": skipped, "conflicts": conflicts, "warnings": warnings}
        return Fold(
            table=table,
            classes=relabelled.classes,
            fold=fold,
            fingerprint=fingerprint(table),
            set_fingerprint=set_fingerprint(images, folds.splits),
            folds=folds.numbers,
            holdout=int(locked.sum()),
            marks={name: mark for name, mark in marks.items() if mark},
            pixels=self._pixels(index, table),
        )

    def held_out(self, fold: int | str) -> HeldOut:
        """What no network for this fold may have seen: its validation and test images, and the holdout.

        Whatever their labels: an image that a label map or a conflict drops may still be a test image's copy.
        """
        index, folds = self._indexed
        check_fold(fold, folds)
        images = index.images[folds.splits[fold].isin(["val", "test"]) | folds.locked]
        groups = images["group"]
        return HeldOut(
            hashes=frozenset(images["content_hash"]),
            groups=frozenset(groups) - {""},
            ungrouped=int((groups == "").sum()),
        )

    def labelled(self) -> Relabelled:
        """All images of the index under their final labels, and the classes in their order."""
        return relabel(self._indexed[0].images, read_label_map(self.label_map))

    @cached_property
    def folder(self) -> Path:
        """Where index, folds and cache are kept."""
        return side_folder(self.root, self.work_dir)

    @cached_property
    def _indexed(self) -> tuple[Index, Folds]:
        if self.generate is not None and not (self.root / "cells.csv").exists():  # it is written last
            self.generate(self.root)
        listing = list_files(root=self.root, layout=self.layout, file=self.file, csv_format=self.csv_format)
        if self.group_regex is not None:
            listing["group"] = groups_from_paths(listing["id"], self.group_regex, key="data")
        if self.um_per_pixel is not None:
            listing["um_per_pixel"] = listing["um_per_pixel"].fillna(self.um_per_pixel)
        with FileLock(self.folder / "index.lock"):  # runs that start at once read the images once
            index = build_index(
                listing=listing, folder=self.folder, on_bad_image=self.on_bad_image, threads=self.threads
            )
            return index, make_folds(index, self.fold_settings, self.holdout_settings, self.folder)

    def _check(self) -> None:
        """Refuse settings that no data could make right."""
        for key, choices in CHOICES.items():
            check_choice(f"data.{key}", getattr(self, key), choices)
        for key in ("um_per_pixel", "target_um_per_pixel"):
            if getattr(self, key) is not None:
                check_positive(f"data.{key}", getattr(self, key))
        if self.threads is not None:
            check_whole("data.threads", self.threads, least=1)

    def _leak_policy(self, folds: Folds, table: pd.DataFrame) -> str:
        """`auto` stops, except where nobody can mend it: published folds whose patients are unknown."""
        if self.on_leak != "auto":
            return self.on_leak
        return "warn" if folds.origin == "published" and not (table["group"] != "").any() else "stop"

    def _pixels(self, index: Index, table: pd.DataFrame) -> Pixels:
        if not self.cache:
            return DecodedPixels(tuple(table["path"]))
        listing = hashlib.blake2b(f"{self.layout} {self.file}".encode(), digest_size=3).hexdigest()
        return cached_pixels(
            images=index.images, rows=table, folder=self.folder, listing=listing, threads=self.threads
        )


class DrawnCells(CellData):
    """Cells drawn on first use, by a function that takes `scale` (1 = as many as MK-11 has) and `seed`."""

    def __init__(self, *, scale: Given, seed: Given, generate: Callable[..., object], **data: Any) -> None:  # noqa: ANN401
        check_positive("data.scale", scale)
        check_whole("data.seed", seed, least=0)
        super().__init__(**data, generate=partial(generate, scale=scale, seed=seed))


def _csv_file(file: Path, root: Path) -> Path:
    """`data.file` as the user may mean it: relative to the root, or to where the command runs."""
    return root / file if (root / file).exists() else file
