"""What would make a fold dishonest: one image or patient on two sides of it, one image under two labels."""

from collections.abc import Sequence

import pandas as pd

from mk11.data.layouts import SPLITS
from mk11.errors import UserError

NAMED = 10  # pairs that a message and a mark name


def check_splits(table: pd.DataFrame, classes: Sequence[str], fold: int | str) -> None:
    """Refuse a fold with an empty part, or whose training part lacks a class.

    Raises:
        UserError: naming the fold and what is missing.
    """
    empty = [split for split in SPLITS if not (table["split"] == split).any()]
    if empty:
        raise UserError(
            f"each part of a fold must hold images, but the {empty[0]} part of fold {fold} holds none"
        )
    missing = sorted(set(classes) - set(table.loc[table["split"] == "train", "subtype"]))
    if missing:
        raise UserError(
            f"each class must be in training, but {', '.join(missing)} is not in that of fold {fold}"
        )


def on_two_sides(table: pd.DataFrame, column: str) -> list[tuple[str, str, str]]:
    """(value, image, image) for each value of `column` that lies in several splits; "" = unknown is none.

    The two images are the first of it in two different splits.
    """
    known = table[table[column] != ""]
    first = known.drop_duplicates([column, "split"])
    shared = first[first.duplicated(column, keep=False)].sort_values(column, kind="stable")
    named = shared["id"] + " (" + shared["split"] + ")"
    return [(str(value), ids.iloc[0], ids.iloc[1]) for value, ids in named.groupby(shared[column])]


def check_leaks(table: pd.DataFrame, *, on_leak: str, fold: int | str) -> dict[str, object]:
    """The mark a leaking fold carries (empty if clean): counts and the first pairs, of images and of groups.

    Raises:
        UserError: the pairs, under `on_leak=stop`.
    """
    found = {"images": on_two_sides(table, "content_hash"), "groups": on_two_sides(table, "group")}
    leaks = {what: pairs for what, pairs in found.items() if pairs}
    if leaks and on_leak == "stop":
        raise UserError(
            f"no image or group may be on two sides of a fold, but in fold {fold} {_told(leaks)}"
            "\n(data.on_leak=warn goes on and marks every table)"
        )
    return {
        what: {"count": len(pairs), "first": [list(pair) for _, *pair in pairs[:NAMED]]}
        for what, pairs in leaks.items()
    }


def _told(leaks: dict[str, list[tuple[str, str, str]]]) -> str:
    sentences = [
        f"{len(pairs)} {what if len(pairs) > 1 else what[:-1]} leak" for what, pairs in leaks.items()
    ]
    pairs = [f"\n  {left} and {right}" for found in leaks.values() for _, left, right in found[:NAMED]]
    return " and ".join(sentences) + ":" + "".join(pairs)


def check_coverage(images: pd.DataFrame, splits: pd.DataFrame, *, on_leak: str) -> list[str]:
    """Sentences about published test sets that overlap or leave images out; one fold alone promises nothing.

    Raises:
        UserError: the first of them, under `on_leak=stop`.
    """
    if len(splits.columns) < 2:
        return []
    tested = (splits == "test").groupby(images["content_hash"].to_numpy()).any().sum(axis=1)
    told = {
        "are in the test sets of several folds": (tested > 1).sum(),
        "are in no test set": (tested == 0).sum(),
    }
    warnings = [f"{count} of {len(tested)} images {what}" for what, count in told.items() if count]
    if warnings and on_leak == "stop":
        raise UserError(
            f"published test sets must be disjoint and cover everything, but {warnings[0]} "
            "(data.on_leak=warn goes on and marks every table)"
        )
    return warnings


def resolve_conflicts(table: pd.DataFrame, *, on_conflict: str) -> tuple[pd.DataFrame, dict[str, object]]:
    """Images that carry two labels, kept or all dropped, and the mark that says so (empty if none do)."""
    labels = table.groupby("content_hash")["subtype"].transform("nunique")
    conflicting = table[labels > 1]
    if conflicting.empty:
        return table, {}
    named = (conflicting["id"] + " (" + conflicting["subtype"] + ")").groupby(conflicting["content_hash"])
    pairs = [list(ids.iloc[:2]) for _, ids in named]
    mark = {"policy": on_conflict, "count": len(pairs), "first": pairs[:NAMED]}
    return (table[labels == 1] if on_conflict == "drop" else table), mark
