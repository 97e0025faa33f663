"""What a selection leaves: the crops, and a manifest that pre-training reads them by."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import webdataset
from jaxtyping import UInt8

from mk11.files import replacing
from mk11.selection.features import Crop
from mk11.terminal import with_progress

SHARD = 1000  # crops in a shard
CROPS, SHARDS = "crops", "shards"

Crops = Callable[[Sequence[int]], Iterable[Crop]]


def write_crops(folder: Path, table: pd.DataFrame, crops: Crops, *, how: str) -> list[str]:
    """Write the crops of a table's rows; returns where each lies, relative to `folder`.

    Args:
        folder: Of the selection.
        table: A row for each crop, `crop_hash` among its columns.
        crops: Yields the crops of some index values of the table, in any order.
        how: ``png``: a file each; ``shards``: WebDataset archives, told as ``ARCHIVE/NAME``; ``none``.
    """
    names = dict(zip(table.index, table["crop_hash"], strict=True))
    bar = with_progress(crops([*names]), total=len(names), title="crops", unit="crop")
    if how == "png":
        return _as_png(folder / CROPS, names, bar)
    if how == "shards":
        return _as_shards(folder / SHARDS, names, bar)
    return [""] * len(names)


def _as_png(folder: Path, names: Mapping[int, str], crops: Iterator[Crop]) -> list[str]:
    """Named by content: what an interrupted run has written already is not written again."""
    folder.mkdir(parents=True, exist_ok=True)
    for crop in crops:
        path = folder / f"{names[crop.row]}.png"
        if not path.exists():
            with replacing(path) as temporary:
                temporary.write_bytes(_encoded(crop.image))
    return [f"{CROPS}/{name}.png" for name in names.values()]


def _as_shards(folder: Path, names: Mapping[int, str], crops: Iterator[Crop]) -> list[str]:
    """Archives of equal bytes for equal crops in equal order."""
    folder.mkdir(parents=True, exist_ok=True)
    places = {}
    with webdataset.ShardWriter(
        f"{folder}/%06d.tar", maxcount=SHARD, mtime=0, user="", group="", verbose=0
    ) as writer:
        for crop in crops:
            name = names[crop.row]
            writer.write({"__key__": name, "png": _encoded(crop.image)})
            places[crop.row] = f"{SHARDS}/{Path(writer.fname).name}/{name}.png"
    return [places[row] for row in names]


def _encoded(image: UInt8[np.ndarray, "rows columns 3"]) -> bytes:
    """The same bytes for the same pixels."""
    _, encoded = cv2.imencode(".png", image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 4])
    return encoded.tobytes()
