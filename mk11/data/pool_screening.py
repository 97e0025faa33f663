"""What of a pool's sources may be seen: nothing held out, nothing that looks like it, nothing twice."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mk11.data.cells import CellData
from mk11.data.fold_table import HeldOut
from mk11.data.pool_likeness import like_held_out
from mk11.data.pool_sources import Source


def screened(
    sources: Sequence[Source], held_out: HeldOut, data: CellData, *, radius: int | None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """The sources' images in the order of contents, without what is held out and copies; counts of these.

    Images of a held-out group (patient) are left out as well where a source knows groups, and those that look
    like a held-out image, by at most `radius` bits: not of the fold's own training images, which
    `data.on_leak` has judged. Columns beside the images': part, the source's place, and row, the image's
    place there.
    """
    images = pd.concat(
        [one.images.assign(part=part, row=np.arange(len(one.images))) for part, one in enumerate(sources)],
        ignore_index=True,
    )
    by_hash = images["content_hash"].isin(held_out.hashes)
    by_group = images["group"].isin(held_out.groups) & of_others(images, sources) & ~by_hash
    kept = images[~by_hash & ~by_group]
    once = kept.drop_duplicates("content_hash")
    alike = _look_alike(once, of_others(once, sources), held_out, data, radius)
    counts = {
        "held_out": int(by_hash.sum()),
        "held_out_groups": int(by_group.sum()),
        "copies": len(kept) - len(once),
        "near_duplicates": int(alike.sum()),
    }
    return once[~alike].sort_values("content_hash", ignore_index=True), counts


def of_others(table: pd.DataFrame, sources: Sequence[Source]) -> np.ndarray:
    """True for images that are not of the fold's own training split."""
    return np.array([one.kind != "training" for one in sources])[table["part"]]


def _look_alike(
    table: pd.DataFrame, others: np.ndarray, held_out: HeldOut, data: CellData, radius: int | None
) -> np.ndarray:
    """Which images look like a held-out one; the fold's own are the leak check's business."""
    alike = np.zeros(len(table), bool)
    if radius is not None and others.any():
        alike[others] = like_held_out(table[others], held_out, data, radius=radius)
    return alike


def transductive(groups: pd.Series, held_out: HeldOut) -> str | None:
    """How many images without labels may be of held-out patients, in words; None where none can be.

    Args:
        groups: Patient of each image, none of them held out; "" = unknown.
        held_out: What is kept for judging.
    """
    unknown = len(groups) if held_out.ungrouped else int((groups == "").sum())
    if not unknown:
        return None
    whose = "held-out patients are not all known" if held_out.ungrouped else "their patients are not known"
    return f"unknown: {unknown} of {len(groups)} images without labels may be of held-out patients ({whose})"


def counts_told(counts: Mapping[str, int]) -> str:
    """`counts` of a pool in one line."""
    words = {
        "training": "of the training split",
        "folders": "from folders",
        "manifests": "from manifests",
        "held_out": "held out for validation or test, left out",
        "held_out_groups": "of held-out patients, left out",
        "near_duplicates": "that look like held-out ones, left out",
        "copies": "copies, left out",
    }
    told = [f"{counts[key]} {word}" for key, word in words.items() if counts[key]]
    return f"{counts['used']} images ({', '.join(told) or 'none found'})"
