"""Smear fields without labels: a folder of pictures, what is known of each, and what it shows."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock

from mk11.data.groups import groups_from_paths
from mk11.data.index import read_listing
from mk11.data.layouts import images_below
from mk11.data.place import side_folder
from mk11.data.settings import Given, check_choice, check_positive, check_whole
from mk11.data.tables import group_column, read_texts, scales
from mk11.errors import UserError

TABLE = "fields.csv"


@dataclass(frozen=True)
class Fields:
    """Fields that can be read, each once.

    `table`: RangeIndex, in the order of contents; id, path, content_hash, width, height (px), um_per_pixel
    (NaN = unknown), group (patient or slide; "" = unknown).
    `fingerprint`: 16 hex digits over contents, scales and groups, whatever the files are called.
    `skipped`: id and reason of each unreadable field.
    `copies`: fields left out because they show what another one shows.
    """

    table: pd.DataFrame
    fingerprint: str
    skipped: dict[str, str]
    copies: int


class FieldData:
    """Fields in a folder; every argument is a key of conf/fields/folder.yaml and explained there.

    Raises:
        UserError: a value that its key cannot hold; instantiate() wraps it.
    """

    def __init__(
        self,
        *,
        name: Given,
        root: Given,
        um_per_pixel: Given,
        group_regex: Given,
        truth: Given,
        truth_kinds: Given,
        on_bad_image: Given,
        work_dir: Given,
        threads: Given,
        generate: Callable[[Path], object] | None = None,
    ) -> None:
        check_choice("fields.on_bad_image", on_bad_image, ("skip", "error"))
        if um_per_pixel is not None:
            check_positive("fields.um_per_pixel", um_per_pixel)
        if threads is not None:
            check_whole("fields.threads", threads, least=1)
        self.name, self.root = str(name), Path(str(root)).expanduser().absolute()
        self.um_per_pixel, self.on_bad_image, self.threads = um_per_pixel, on_bad_image, threads
        self.group_regex = None if group_regex is None else str(group_regex)
        self.truth = None if truth is None else self.root / Path(str(truth)).expanduser()
        self.truth_kinds = None if truth_kinds is None else [str(kind) for kind in truth_kinds]
        self.work_dir = None if work_dir is None else Path(str(work_dir))
        self.generate = generate

    @cached_property
    def fields(self) -> Fields:
        """All fields below the root.

        Raises:
            UserError: no such folder, no field, a table of fields that names none of them, or unreadable
                fields under `fields.on_bad_image=error`.
        """
        if self.generate is not None and not (self.root / TABLE).exists():
            self.generate(self.root)
        listing = self._listing()
        folder = side_folder(self.root, self.work_dir)
        with FileLock(folder / "index.lock"):
            files, skipped = read_listing(
                listing=listing,
                folder=folder,
                on_bad_image=self.on_bad_image,
                threads=self.threads,
                key="fields",
            )
        once = files.sort_values(["content_hash", "id"]).drop_duplicates("content_hash", ignore_index=True)
        if once.empty:
            raise UserError(f"fields.root must hold readable fields, but all {len(skipped)} are unreadable")
        columns = ["id", "path", "content_hash", "width", "height", "um_per_pixel", "group"]
        return Fields(once[columns], _fingerprint(once), skipped, copies=len(files) - len(once))

    def _listing(self) -> pd.DataFrame:
        """Path below the root (`id`), path, um_per_pixel and group of every field."""
        if not self.root.is_dir():
            raise UserError(f"fields.root must be an existing folder, but there is no {self.root}")
        names = list(images_below(self.root))
        if not names:
            raise UserError(f"fields.root must hold images, but {self.root} holds none")
        listing = pd.DataFrame({"id": names, "path": [os.path.join(self.root, name) for name in names]})
        told = _told(self.root / TABLE, listing["id"])
        listing["um_per_pixel"] = told["um_per_pixel"].fillna(
            np.nan if self.um_per_pixel is None else self.um_per_pixel
        )
        listing["group"] = told["group"]
        if self.group_regex is not None:
            listing["group"] = groups_from_paths(listing["id"], self.group_regex, key="fields")
        return listing


class DrawnFields(FieldData):
    """Fields drawn on first use, by a function that takes `count` (how many) and `seed`."""

    def __init__(self, *, count: Given, seed: Given, generate: Callable[..., object], **fields: Any) -> None:  # noqa: ANN401
        check_whole("fields.count", count, least=1)
        check_whole("fields.seed", seed, least=0)
        super().__init__(**fields, generate=partial(generate, count=count, seed=seed))


def _told(file: Path, ids: pd.Series) -> pd.DataFrame:
    """What `fields.csv` tells of each field: group and um_per_pixel, unknown where it tells nothing."""
    unknown = pd.DataFrame({"group": "", "um_per_pixel": np.nan}, index=ids.index)
    if not file.is_file():
        return unknown
    table = read_texts(file)
    if "field" not in table or table["field"].duplicated().any():
        raise UserError(f"{file} must have a column `field` that names each field once, but has not")
    if not table["field"].isin(ids).any():
        raise UserError(f"{file} must name fields below its folder, but names none of them")
    by_field = table.set_index("field").reindex(ids).reset_index(drop=True)
    group = group_column("group", table)
    if group in by_field:
        unknown["group"] = by_field[group].fillna("")
    if "um_per_pixel" in by_field:
        unknown["um_per_pixel"] = scales(by_field["um_per_pixel"], file)
    return unknown


def _fingerprint(table: pd.DataFrame) -> str:
    scale = table["um_per_pixel"].map("{:.6g}".format)
    lines = map("\t".join, zip(table["content_hash"], scale, table["group"], strict=True))
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()
