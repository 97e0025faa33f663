"""Pools of images to pre-train on, for tests."""

import pandas as pd

from mk11.data.pool import Pool

NONE = {"training": False, "folders": [], "manifests": [], "um_per_pixel": None, "near_duplicates": 12}


def pool_of(cells, fold=0, **changed):
    return Pool(**{**NONE, **changed}).gather(cells, cells.fold(fold))


def images_of(cells, fold, *splits):
    table = cells.fold(fold).table
    return table[table["split"].isin(splits)]


def hashes(pool):
    return set(pool.table["content_hash"])


def manifest(path, rows):
    table = pd.DataFrame(rows)
    table.to_csv(path, index=False) if path.suffix == ".csv" else table.to_parquet(path)
    return str(path)
