"""Folds as a CSV file: a column `path` and columns `fold_<k>` of train, val, test or nothing."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from mk11.data.layouts import SPLITS
from mk11.errors import UserError
from mk11.files import replacing


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
    splits = splits.loc[images["id"]].set_index(images.index)
    wrong = set(np.unique(splits.to_numpy(dtype=str))) - {*SPLITS, ""}
    if wrong:
        raise UserError(f"splits in {file} must be train, val, test or empty, but one is {min(wrong)}")
    return splits[sorted(columns.values())]


def write_folds(file: Path, images: pd.DataFrame, splits: pd.DataFrame) -> None:
    """Write them, with what a reader wants to know of each image, whole or not at all."""
    named = splits.add_prefix("fold_")
    table = named.assign(path=images["id"], subtype=images["subtype"], group=images["group"])
    with replacing(file) as temporary:
        table[["path", "subtype", "group", *named]].to_csv(temporary, index=False)
