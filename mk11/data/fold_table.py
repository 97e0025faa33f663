"""The table of one fold, and the fingerprint of what it holds."""

import hashlib

import pandas as pd


def fold_table(images: pd.DataFrame, split: pd.Series, classes: tuple[str, ...], name: str) -> pd.DataFrame:
    """Images that take part in a fold, with `split` and `label`; `name` stands in for an unknown source."""
    table = images.assign(
        split=split.loc[images.index],
        label=images["subtype"].map({subtype: label for label, subtype in enumerate(classes)}),
        source=images["source"].replace("", name),
    )
    return table[table["split"] != ""].reset_index(drop=True)


def fingerprint(table: pd.DataFrame) -> str:
    """16 hex digits over what a fold consists of, whatever the order of rows and the names of files."""
    scale = table["um_per_pixel"].map("{:.6g}".format)
    told = (
        table["content_hash"]
        + "\t"
        + table["subtype"]
        + "\t"
        + table["group"]
        + "\t"
        + scale
        + "\t"
        + table["split"]
    )
    return hashlib.blake2b("\n".join(sorted(told)).encode(), digest_size=8).hexdigest()
