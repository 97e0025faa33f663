"""Images without labels that look like one that is kept for judging: the same picture, saved or cut anew.

Perceptual hashes are kept by content beside the data set's index: each image is decoded for this once.
"""

from pathlib import Path

import pandas as pd
from filelock import FileLock
from jaxtyping import Bool
from numpy import ndarray

from mk11.data.cells import CellData
from mk11.data.fold_table import HeldOut
from mk11.data.images import decode_rgb
from mk11.data.near_duplicates import SIDE, near_any, perceptual_hash
from mk11.data.parallel import in_threads
from mk11.errors import UserError
from mk11.files import replacing

COLUMNS = ["content_hash", "perceptual_hash"]


def like_held_out(
    images: pd.DataFrame, held_out: HeldOut, data: CellData, *, radius: int
) -> Bool[ndarray, " images"]:
    """True for each image (content_hash, path) at most `radius` bits from a held-out one of the data set."""
    labelled = data.labelled().images
    kept = labelled[labelled["content_hash"].isin(held_out.hashes)]
    ledger = data.folder / f"perceptual{SIDE}.parquet"
    asked = pd.concat([images[["content_hash", "path"]], kept[["content_hash", "path"]]])
    known = hashes_of(asked, ledger, threads=data.threads)
    some, others = (known[table["content_hash"]].tolist() for table in (images, kept))
    return near_any(some, others, radius=radius)


def hashes_of(images: pd.DataFrame, ledger: Path, *, threads: int | None) -> pd.Series:
    """Perceptual hash by content hash, of these images at least; what is new is decoded and remembered."""
    ledger.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(ledger.with_suffix(".lock")):
        known = _remembered(ledger)
        once = images.drop_duplicates("content_hash")
        new = once[~once["content_hash"].isin(known["content_hash"])]
        if len(new):
            found = in_threads(_hash_of, new["path"].tolist(), threads=threads, title="comparing pictures")
            added = pd.DataFrame({"content_hash": new["content_hash"].tolist(), "perceptual_hash": found})
            known = pd.concat([known, added], ignore_index=True)
            with replacing(ledger) as temporary:
                known.to_parquet(temporary, index=False)
    return known.set_index("content_hash")["perceptual_hash"]


def _hash_of(path: str) -> str:
    return perceptual_hash(decode_rgb(Path(path).read_bytes()))


def _remembered(ledger: Path) -> pd.DataFrame:
    if not ledger.exists():
        return pd.DataFrame({name: pd.Series(dtype="str") for name in COLUMNS})
    try:
        return pd.read_parquet(ledger)[COLUMNS]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{ledger} must be as this program wrote it, but is damaged; delete it: {error}"
        ) from error
