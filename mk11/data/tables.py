"""Tables that a user brings (CSV): every value as the text that it is, so that patient 007 stays 007."""

import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from mk11.errors import UserError

OPTIONAL = ("group", "um_per_pixel")
PATIENTS = ("patient", "patient_id", "subject", "slide")  # other names that `group` goes by


def read_cells_csv(file: Path, root: Path, columns: Mapping[str, str], path_format: str) -> pd.DataFrame:
    """Columns id, subtype and, where the table has them, group, um_per_pixel (um) and source.

    Args:
        file: The table; never written to.
        root: Folder that the paths in it are relative to.
        columns: Name in the table of `path`, `subtype`, `group` and `um_per_pixel`. The last two may be
            absent under their default names; a table without `group` may call it `patient`, `patient_id`,
            `subject` or `slide`.
        path_format: Python format that turns a value of `path` into a file name, such as `{:0>3}.bmp`.

    Raises:
        UserError: the table or a column is missing, a cell has no subtype, an image is not there or named
        twice.
    """
    if not file.is_file():
        raise UserError(f"data.file must be an existing CSV table, but is {file}")
    frame = read_texts(file)
    columns = {**columns, "group": group_column(columns["group"], frame)}
    for role, name in columns.items():
        unnamed = role in OPTIONAL and name == role  # the default, which need not be there
        if name not in frame and not unnamed:
            known = ", ".join(map(str, frame))
            raise UserError(f"data.columns.{role} must be a column of {file} ({known}), but is {name}")
    roles = {role: name for role, name in {"source": "source", **columns}.items() if name in frame}
    table = pd.DataFrame({role: frame[name] for role, name in roles.items()})
    table = table.rename(columns={"path": "id"})
    table["id"] = _paths(table["id"], path_format)
    if "um_per_pixel" in table:
        table["um_per_pixel"] = scales(table["um_per_pixel"], file)
    _check(table, file, root)
    return table


def group_column(name: str, frame: pd.DataFrame) -> str:
    """The column of groups: the one named, or the first of PATIENTS that the table has, in any case."""
    if name != "group" or name in frame:
        return name
    columns = {str(column).lower(): str(column) for column in frame}
    return next((columns[patient] for patient in PATIENTS if patient in columns), name)


def read_texts(file: Path) -> pd.DataFrame:
    """A CSV table whose values are all texts without blanks around them; "" where there is none.

    Raises:
        UserError: It is no such table.
    """
    try:
        frame = pd.read_csv(
            file, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True
        )
    except (ValueError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{file} must be a CSV table in UTF-8, but is not: {error}") from error
    return frame.rename(columns=lambda name: str(name).strip()).apply(lambda column: column.str.strip())


def scales(values: pd.Series, file: Path) -> pd.Series:
    """Texts or numbers of a column `um_per_pixel` as numbers; NaN where there is none.

    Raises:
        UserError: One is no positive number.
    """
    texts = values.astype(object).where(values.notna(), "").astype(str)
    numbers = pd.to_numeric(texts.replace("", "nan"), errors="coerce").astype(float)
    wrong = texts[(numbers.isna() & ~texts.str.lower().isin(["", "nan"])) | (numbers <= 0)]
    if len(wrong):
        raise UserError(f"um_per_pixel in {file} must be a number above 0, but is {wrong.iloc[0]}")
    return numbers


def _paths(values: pd.Series, path_format: str) -> list[str]:
    try:
        return [path_format.format(value) for value in values]
    except (ValueError, IndexError, KeyError) as error:
        raise UserError(
            f"data.path_format must be a Python format for one text, but is {path_format}"
        ) from error


def _check(table: pd.DataFrame, file: Path, root: Path) -> None:
    if table.empty:
        raise UserError(f"{file} must list cells, but has no rows")
    unnamed = table.loc[table["subtype"] == "", "id"]
    if len(unnamed):
        raise UserError(f"each cell of {file} must have a subtype, but {unnamed.iloc[0]} has none")
    twice = table.loc[table["id"].duplicated(), "id"]
    if len(twice):
        raise UserError(f"{file} must name each image once, but names {twice.iloc[0]} again")
    missing = [name for name in table["id"] if not os.path.isfile(os.path.join(root, name))]
    if missing:
        raise UserError(
            f"{file} must name images under {root}, but {len(missing)} of {len(table)} are not there, "
            f"such as {missing[0]}"
        )
