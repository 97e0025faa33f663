"""What lies in a data folder: files and their labels, from each of four layouts on disk.

Every reader returns the same listing, one row per file: `id` (path relative to the root), `path`, `subtype`,
`group` and `source` ("" = unknown), `um_per_pixel` (NaN = unknown), `fold` (-1 = not published) and `split`.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mk11.data.images import IMAGE_SUFFIXES
from mk11.data.tables import read_cells_csv
from mk11.errors import UserError

LAYOUTS = ("auto", "class_folders", "published_folds", "lists", "csv")
SPLITS = ("train", "val", "test")
FOLD_FOLDER = re.compile(r"fold_(\d+)")
PART_FOLDER = re.compile(r"train(ing)?|val(id(ation)?)?|test(ing)?", re.IGNORECASE)


@dataclass(frozen=True)
class CsvFormat:
    """How a table of cells is written: its column names and how a value of `path` becomes a file name."""

    columns: Mapping[str, str]
    path_format: str


def list_files(*, root: Path, layout: str, file: Path | None, csv_format: CsvFormat) -> pd.DataFrame:
    """Listing of the files under `root`, in the layout named or, with `auto`, the one found there.

    Raises:
        UserError: no such folder or layout, an empty class, a table that names what is not there.
    """
    if layout not in LAYOUTS:
        raise UserError(f"data.layout must be one of {', '.join(LAYOUTS)}, but is {layout}")
    if not root.is_dir():
        raise UserError(f"data.root must be an existing folder, but is {root}")
    found = _layout_of(root, file) if layout == "auto" else layout
    if found == "csv":
        listing = read_cells_csv(file or root / "cells.csv", root, csv_format.columns, csv_format.path_format)
    else:
        listing = READERS[found](root)
    return _with_defaults(listing, root)


def _layout_of(root: Path, file: Path | None) -> str:
    if file is not None or (root / "cells.csv").exists():
        return "csv"
    if fold_folders(_published_root(root)):
        return "published_folds"
    if (root / "image").is_dir() and (root / "train.txt").exists():
        return "lists"
    return "class_folders"


def _with_defaults(listing: pd.DataFrame, root: Path) -> pd.DataFrame:
    defaults: dict[str, str | float] = {
        "group": "",
        "source": "",
        "um_per_pixel": float("nan"),
        "fold": -1,
        "split": "",
    }
    for column in [name for name in defaults if name not in listing]:
        listing[column] = defaults[column]
    listing["path"] = [os.path.join(root, name) for name in listing["id"]]
    return listing[["id", "path", "subtype", "group", "source", "um_per_pixel", "fold", "split"]]


def class_folders(root: Path) -> pd.DataFrame:
    """One folder per subtype, images anywhere below it; hidden files and other suffixes are left out."""
    folders = _folders(root)
    _refuse_other_levels(folders, root)
    return _refuse_empty_classes(_subtype_folders(root), root, {folder.name for folder in folders})


def _refuse_other_levels(folders: list[Path], root: Path) -> None:
    """A lone folder, folders all named as parts or folds, and one that holds folds are no classes."""
    if not folders:
        raise UserError(f"data.root must hold one folder of images per class, but {root} holds no folders")
    if len(folders) == 1:
        alone = folders[0].name
        raise UserError(f"data.root must hold several class folders, but {root} holds {alone} alone")
    if all(FOLD_FOLDER.fullmatch(folder.name) for folder in folders):
        raise UserError(f"fold_<k> folders must hold train/<class> folders, but those in {root} do not")
    if all(PART_FOLDER.fullmatch(folder.name) for folder in folders):
        named = ", ".join(folder.name for folder in folders)
        raise UserError(f"data.root must hold class folders, but {root} holds {named}; put them into fold_0/")
    for folder in filter(fold_folders, folders):
        raise UserError(
            f"data.root must hold class folders, but {folder} holds published folds: is it data.root?"
        )


def _subtype_folders(root: Path) -> pd.DataFrame:
    rows = [
        (f"{subtype.name}/{name}", subtype.name)
        for subtype in _folders(root)
        for name in images_below(subtype)
    ]
    return pd.DataFrame(rows, columns=["id", "subtype"])


def _refuse_empty_classes(listing: pd.DataFrame, root: Path, subtypes: set[str]) -> pd.DataFrame:
    empty = subtypes - set(listing["subtype"])
    if empty:
        raise UserError(f"each class folder must hold images, but `{min(empty)}` in {root} holds none")
    return listing


def fold_folders(root: Path) -> dict[int, Path]:
    """Published folds `fold_<k>/{train,val,test}`, by k."""
    numbered = {folder: FOLD_FOLDER.fullmatch(folder.name) for folder in _folders(root)}
    folds = {
        int(match[1]): folder for folder, match in numbered.items() if match and (folder / "train").is_dir()
    }
    return dict(sorted(folds.items()))


def _published_root(root: Path) -> Path:
    """`root`, or the one folder in it that holds published folds: archives have them beside the images."""
    within = [folder for folder in _folders(root) if fold_folders(folder)]
    return within[0] if not fold_folders(root) and len(within) == 1 else root


def published_folds(root: Path) -> pd.DataFrame:
    """`fold_<k>/{train,val,test}/<class>`, as MK-11-CV5 is published: each image lies in every fold once."""
    parts, subtypes = [], set[str]()
    for fold, folder in fold_folders(_published_root(root)).items():
        for split in (split for split in SPLITS if (folder / split).is_dir()):
            part = _subtype_folders(folder / split)
            part["id"] = f"{(folder / split).relative_to(root).as_posix()}/" + part["id"]
            parts.append(part.assign(fold=fold, split=split))
            subtypes |= {subtype.name for subtype in _folders(folder / split)}
    if not subtypes:
        raise UserError(
            f"data.root must hold fold_<k>/train/<class> folders, but {root} holds no images there"
        )
    return _refuse_empty_classes(pd.concat(parts, ignore_index=True), root, subtypes)


def split_lists(root: Path) -> pd.DataFrame:
    """`image/` with `train.txt`, `val.txt`, `test.txt` of lines `name label`: published fold 0, alone."""
    present = [split for split in SPLITS if (root / f"{split}.txt").exists()]
    if "train" not in present or not (root / "image").is_dir():
        raise UserError(f"data.root must hold image/ and train.txt, but {root} does not")
    images = {name: f"image/{name}" for name in images_below(root / "image")}
    images = {Path(name).stem: image for name, image in images.items()} | images  # names may lack the suffix
    return pd.concat([_split_list(root, split, images) for split in present], ignore_index=True)


def _split_list(root: Path, split: str, images: Mapping[str, str]) -> pd.DataFrame:
    file = root / f"{split}.txt"
    lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    fields = [_name_and_label(line, file) for line in lines]
    named = [name.removeprefix("image/") in images for name, _ in fields]
    if named and not named[0] and not Path(fields[0][0]).suffix:
        fields, named = fields[1:], named[1:]  # a header
    if not all(named):
        missing = fields[named.index(False)][0]
        raise UserError(f"{file} must name images in {root / 'image'}, but {missing} is not there")
    rows = [(images[name.removeprefix("image/")], subtype) for name, subtype in fields]
    return pd.DataFrame(rows, columns=["id", "subtype"]).assign(fold=0, split=split)


def _name_and_label(line: str, file: Path) -> tuple[str, str]:
    separated = re.search(r"[,\t]", line)
    fields = [field.strip() for field in (re.split(r"[,\t]", line) if separated else line.rsplit(None, 1))]
    if len(fields) != 2 or not all(fields):
        raise UserError(f"lines of {file} must be `name label`, but one is `{line}`")
    return fields[0], fields[1]


def _folders(root: Path) -> list[Path]:
    visible = (Path(entry) for entry in os.scandir(root) if entry.is_dir() and not _hidden(entry.name))
    return sorted(visible)


def images_below(folder: Path) -> Iterator[str]:
    """Image files below `folder`, as sorted relative paths (text: pathlib takes seconds for 50,000 files)."""
    for current, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not _hidden(name))
        below = os.path.relpath(current, folder).replace(os.sep, "/")
        prefix = "" if below == "." else f"{below}/"
        yield from (prefix + name for name in sorted(names) if _is_image(name))


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES) and not _hidden(name)


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


READERS = {"class_folders": class_folders, "published_folds": published_folds, "lists": split_lists}
