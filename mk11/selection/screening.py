"""Which regions may be selected for a fold: none of its held-out patients, and one of each cell."""

import numpy as np
import pandas as pd

from mk11.data.fold_table import HeldOut
from mk11.data.near_duplicates import groups, representatives

HELD_OUT_GROUP, HELD_OUT_IMAGE, DUPLICATE = "held-out patient", "held-out image", "duplicate"
ELIGIBLE = ""


def screened(regions: pd.DataFrame, held_out: HeldOut, *, radius: int | None) -> pd.Series:
    """Why each region may not be selected; "" = it may.

    A region never is the same picture as a labelled crop, so that patients decide, where both sides know
    them; contents are compared besides. Of crops that show one cell, the first by content hash is kept,
    chosen among those that may be seen: held-out regions decide nothing.

    Args:
        regions: Kept regions: group ("" = unknown), crop_hash, perceptual_hash.
        held_out: What no network for this fold may have seen.
        radius: Bits in which perceptual hashes of one cell's crops may differ; None: equal crops only.
    """
    reasons = pd.Series(ELIGIBLE, index=regions.index)
    reasons[regions["crop_hash"].isin(held_out.hashes)] = HELD_OUT_IMAGE
    reasons[regions["group"].isin(held_out.groups)] = HELD_OUT_GROUP
    left = regions[reasons == ELIGIBLE]
    copies = left["crop_hash"].duplicated()
    if radius is not None:
        copies = pd.Series(~_chosen(left, radius), index=left.index)
    reasons[copies[copies].index] = DUPLICATE
    return reasons


def _chosen(regions: pd.DataFrame, radius: int) -> np.ndarray:
    found = groups(regions["perceptual_hash"].tolist(), radius=radius)
    names = (regions["crop_hash"] + regions["field_hash"]).tolist()
    return representatives(found, names)
