"""Stage 1 over all fields: in many processes, kept part by part, so that an interrupted search goes on."""

import hashlib
import itertools
import math
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd

from mk11.data.images import UnreadableImage, content_hash, read_rgb
from mk11.data.near_duplicates import perceptual_hash
from mk11.errors import UserError
from mk11.files import replacing
from mk11.selection.crops import CropShape
from mk11.selection.regions import KEPT, Region, RegionFilter
from mk11.terminal import with_progress

PART = 32  # fields a part: what a kill can lose
CROP_TYPES = {"crop_hash": "str", "perceptual_hash": "str"}
TYPES = {
    "field_hash": "str",
    "field": "str",
    "group": "str",
    **{name: "int64" for name in ("x0", "y0", "x1", "y1", "area")},
    **{name: "float64" for name in ("fill", "mean_red", "mean_green", "mean_blue")},
    "at_border": "bool",
    "reason": "str",
    **{name: "int64" for name in ("crop_x0", "crop_y0", "crop_x1", "crop_y1")},
    "um_per_pixel": "float64",
    **CROP_TYPES,
}
FIELD_TYPES = {"field_hash": "str", "regions": "int64", "kept": "int64", "error": "str"}


class Found(NamedTuple):
    """What stage 1 has found.

    `regions`: RangeIndex, a row for each region in the order of fields; field (id), field_hash, group; box
    and area in px, fill, mean colour 0-255, at_border; reason ("" = kept); and of kept ones the crop's box in
    px, its um_per_pixel, crop_hash (content) and perceptual_hash ("" and 0 of dropped ones).
    `fields`: a row for each field; field_hash, numbers of regions and of kept ones, error ("" = none).
    """

    regions: pd.DataFrame
    fields: pd.DataFrame


@dataclass(frozen=True)
class Search:
    """What is done to every field."""

    filter: RegionFilter
    crop: CropShape
    seed: int

    def look(self, field: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows of one field's regions, with the crops of those kept."""
        image = read_rgb(Path(field["path"]))
        scale = None if math.isnan(field["um_per_pixel"]) else float(field["um_per_pixel"])
        seed = field_seed(self.seed, field["content_hash"])
        known = {"field_hash": field["content_hash"], "field": field["id"], "group": field["group"]}
        return [
            {**known, **region._asdict(), **self._crop(image, region, scale)}
            for region in self.filter.find(image, um_per_pixel=scale, seed=seed)
        ]

    def _crop(self, image: np.ndarray, region: Region, scale: float | None) -> dict[str, Any]:
        if not region.kept:
            nothing = dict.fromkeys(("crop_x0", "crop_y0", "crop_x1", "crop_y1"), 0)
            return {**nothing, "um_per_pixel": math.nan, **dict.fromkeys(CROP_TYPES, "")}
        height, width, _ = image.shape
        box = self.crop.box(region, width=width, height=height)
        pixels, um_per_pixel = self.crop.cut(image, box, um_per_pixel=scale)
        return {
            **dict(zip(("crop_x0", "crop_y0", "crop_x1", "crop_y1"), box, strict=True)),
            "um_per_pixel": math.nan if um_per_pixel is None else um_per_pixel,
            "crop_hash": content_hash(pixels),
            "perceptual_hash": perceptual_hash(pixels),
        }


def field_seed(seed: int, field_hash: str) -> int:
    """A field's own seed, by what it shows: neither order nor number of workers matters."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {field_hash}".encode(), digest_size=4).digest(), "big")


def find_regions(fields: pd.DataFrame, *, search: Search, folder: Path, workers: int) -> Found:
    """Regions of all fields; what `folder` holds of them already is not looked for again.

    Args:
        fields: As `mk11.data.fields` lists them.
        search: What is done to each.
        folder: Of these fields and this search alone; held by this process.
        workers: Processes; 0: this one.

    Raises:
        UserError: The filter or the crops need a scale that a field does not have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = {name for part in _parts(folder) for name in pd.read_parquet(part)["field_hash"]}
    todo = _records(fields[~fields["content_hash"].isin(done)])
    with _mapped(search, todo, workers) as results:
        looked = with_progress(results, total=len(todo), title="regions", unit="field")
        pairs = zip(todo, looked, strict=True)
        while part := list(itertools.islice(pairs, PART)):
            _write_part(folder, part)
    return _joined(folder, fields)


def _records(fields: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in fields.to_dict("records")]


@contextmanager
def _mapped(
    search: Search, fields: list[dict[str, Any]], workers: int
) -> Iterator[Iterable[list[dict[str, Any]] | str]]:
    """Each field's rows, or why it has none, in the order of fields."""
    if workers < 1 or len(fields) <= PART:
        yield (_attempt(search, field) for field in fields)
        return
    # spawn: forking would copy the locks of libraries' threads in whatever state they are
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(search,)) as pool:
        try:
            yield pool.map(_attempt_in_process, fields, chunksize=4)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


_SEARCH: list[Search] = []  # of a worker process: sent once, not with every field


def _begin(search: Search) -> None:
    cv2.setNumThreads(0)  # each worker has a core; more threads would fight over it
    _SEARCH.append(search)


def _attempt_in_process(field: dict[str, Any]) -> list[dict[str, Any]] | str:
    return _attempt(_SEARCH[0], field)


def _attempt(search: Search, field: dict[str, Any]) -> list[dict[str, Any]] | str:
    """A field that has become unreadable since it was indexed does not end the search."""
    try:
        return search.look(field)
    except UnreadableImage as error:
        return error.reason


def _write_part(folder: Path, looked: Sequence[tuple[dict[str, Any], list[dict[str, Any]] | str]]) -> None:
    """Regions first: a part counts as soon as its table of fields is there."""
    rows = [row for _, found in looked if not isinstance(found, str) for row in found]
    fields = [_told(field, found) for field, found in looked]
    name = hashlib.blake2b(fields[0]["field_hash"].encode(), digest_size=8).hexdigest()
    for table, kinds, kind in ((rows, TYPES, "regions"), (fields, FIELD_TYPES, "fields")):
        with replacing(folder / f"{name}.{kind}.parquet") as temporary:
            pd.DataFrame(table, columns=list(kinds)).astype(kinds).to_parquet(temporary, index=False)


def _told(field: dict[str, Any], found: list[dict[str, Any]] | str) -> dict[str, Any]:
    rows, error = ([], found) if isinstance(found, str) else (found, "")
    return {
        "field_hash": field["content_hash"],
        "regions": len(rows),
        "kept": sum(row["reason"] == KEPT for row in rows),
        "error": error,
    }


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.fields.parquet"))


def _joined(folder: Path, fields: pd.DataFrame) -> Found:
    """All parts in the order of fields, however the work was cut."""
    told = pd.concat([pd.read_parquet(part) for part in _parts(folder)], ignore_index=True)
    names = [str(part).replace(".fields.parquet", ".regions.parquet") for part in _parts(folder)]
    regions = pd.concat([pd.read_parquet(name) for name in names], ignore_index=True)
    place = pd.Series(range(len(fields)), index=fields["content_hash"])
    order = regions["field_hash"].map(place).sort_values(kind="stable").index
    told = told.sort_values("field_hash", key=lambda hashes: hashes.map(place), ignore_index=True)
    if (told["error"] != "").all():
        raise UserError(f"fields must be readable, but all are not any more, such as {fields['id'].iloc[0]}")
    return Found(regions.loc[order].reset_index(drop=True), told)
