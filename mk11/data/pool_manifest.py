"""A manifest: a table (Parquet or CSV) that names images to pre-train on, and what is known of each.

It must have `path`, absolute or relative to the table's folder. It may have `um_per_pixel`; `group`, the
patient (or `patient`, `patient_id`, `subject`, `slide`); `content_hash` of the image as selected.
"""

from pathlib import Path

import pandas as pd

from mk11.data.tables import group_column, read_texts, scales
from mk11.errors import UserError


def read_manifest(file: Path) -> pd.DataFrame:
    """RangeIndex; path, um_per_pixel (NaN = unknown), group and content_hash ("" = unknown).

    Raises:
        UserError: no such table, a path that is missing or named twice, a scale that is none, or groups that
            have been through numbers with a decimal point.
    """
    if not file.is_file():
        raise UserError(f"pool.manifests must be existing tables, but there is no {file}")
    table = read_texts(file) if file.suffix.lower() == ".csv" else _parquet(file)
    paths = _texts(table, "path")
    if "path" not in table or table.empty or (paths == "").any():
        raise UserError(f"{file} must have a row for each image with its `path`, but has not")
    twice = paths[paths.duplicated()]
    if len(twice):
        raise UserError(f"{file} must name each image once, but names {twice.iloc[0]} again")
    unknown = pd.Series("", index=table.index)
    return pd.DataFrame(
        {
            "path": paths,
            "um_per_pixel": scales(table.get("um_per_pixel", unknown), file),
            "group": _groups(table, file),
            "content_hash": _texts(table, "content_hash"),
        }
    ).reset_index(drop=True)


def check_hashes(images: pd.DataFrame, expected: pd.Series, file: Path) -> None:
    """UserError unless each image, by its id, is what the manifest has selected; "" = any."""
    selected = expected.loc[images["id"]].to_numpy()
    changed = images.loc[(selected != "") & (images["content_hash"].to_numpy() != selected), "id"]
    if len(changed):
        raise UserError(
            f"images must be what {file} has selected, but {len(changed)} have changed since,"
            f" such as {changed.iloc[0]}"
        )


def _parquet(file: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(file)
    except (ValueError, OSError) as error:
        raise UserError(f"{file} must be a Parquet or CSV table, but is not: {error}") from error


def _groups(table: pd.DataFrame, file: Path) -> pd.Series:
    """Whole numbers among missing ones become 7.0 in many hands, and would be no patient that we know."""
    name = group_column("group", table)
    if name in table and pd.api.types.is_float_dtype(table[name].dtype) and table[name].notna().any():
        raise UserError(
            f"{name} in {file} must be text, as in the data set, but is numbers with a decimal point, such as"
            f" {table[name].dropna().iloc[0]}"
        )
    return _texts(table, name)


def _texts(table: pd.DataFrame, name: str) -> pd.Series:
    """A column as texts; "" where it says nothing."""
    if name not in table:
        return pd.Series("", index=table.index)
    return table[name].astype(object).where(table[name].notna(), "").astype(str).str.strip()
