"""What the gallery of a selection shows: plain tables, and pictures that are fetched only where shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8

from mk11.data.settings import Given, check_whole
from mk11.errors import UserError
from mk11.selection.scoring.scores import Matched

BOX = ["x0", "y0", "x1", "y1"]
Picture = UInt8[np.ndarray, "height width 3"]  # RGB


@dataclass(frozen=True, kw_only=True)
class GalleryLimits:
    """How much the page shows; every argument is a key of the gallery's config, explained there.

    Raises:
        UserError: A value that its key cannot hold; instantiate() wraps it.
    """

    seed: Given  # of the fields that are shown
    fields: Given
    dropped_a_field: Given  # dropped regions outlined in one field, the largest
    crops_a_strip: Given
    map_points: Given  # candidates drawn on the map
    map_thumbnails: Given  # of these, with a picture
    field_px: Given  # longest side of a field's picture
    crop_px: Given  # longest side of a crop's picture
    quality: Given  # of WebP, 1-100

    def __post_init__(self) -> None:
        least = {"field_px": 32, "crop_px": 16, "quality": 1}
        for key in fields(self):
            check_whole(f"gallery.{key.name}", getattr(self, key.name), least=least.get(key.name, 0))
        if self.quality > 100:
            raise UserError(f"gallery.quality must be at most 100, but is {self.quality}")


@dataclass(frozen=True, kw_only=True)
class GalleryContent:
    """A selection as the gallery shows it.

    `facts`: what it was made with, name and value. `steps`: counts from fields to selected, in order.
    `marks`: what must be known before it is believed.
    `fields`: id, group and um_per_pixel (NaN unknown) of every field that was looked at, in order.
    `regions`: as `mk11.selection.field_regions.Found` has them, kept and dropped.
    `candidates`: RangeIndex, a row for each kept region; crop_hash, field, group, box (x0 ... y1, px of the
    field), um_per_pixel of the crop (NaN unknown), prototype (-1 none), distance and threshold (NaN none),
    rank (-1 none), admitted, reason (why not, one of few; "" = admitted), kind
    (true kind, "" unknown).
    `prototypes`: prototype, subtype (majority), purity (0-1), size (labelled crops), threshold, candidates,
    admitted; empty where the strategy has none.
    `truth`: marked cells, their `field` by its id, and the candidates of fields with marks (`row`: of
    `candidates`), with what became of each; None where no cell is marked.
    `positions`: of the candidates on a plane (PCA), equal units on both axes; None: no map.
    `crop`: pixels of a candidate by its row. `field`: pixels of a field by its id. Both are called field by
    field, so that whoever remembers the last field decodes each once.
    `identify`: whether fields and groups have their real names; else they have pseudonyms.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    steps: Sequence[tuple[str, int]]
    marks: Sequence[str]
    fields: pd.DataFrame
    regions: pd.DataFrame
    candidates: pd.DataFrame
    prototypes: pd.DataFrame
    truth: Matched | None
    positions: Float[np.ndarray, "candidates 2"] | None
    crop: Callable[[int], Picture]
    field: Callable[[str], Picture]
    limits: GalleryLimits
    identify: bool
