"""The table of one fold, and the fingerprint of what it holds."""

import hashlib

import pandas as pd


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
    scale = table["um_per_pixel"].map("{:.6g}".format)
    columns = (table["content_hash"], table["subtype"], table["group"], scale, table["split"])
    told = map("\t".join, zip(*columns, strict=True))
    return hashlib.blake2b("\n".join(sorted(told)).encode(), digest_size=8).hexdigest()
