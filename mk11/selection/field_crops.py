"""Crops of regions, cut from their fields whenever they are needed: they never lie in memory together."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from mk11.data.images import content_hash, read_rgb
from mk11.errors import UserError
from mk11.selection.crops import CropShape
from mk11.selection.features import Crop

BOX = ["crop_x0", "crop_y0", "crop_x1", "crop_y1"]


@dataclass(frozen=True)
class FieldCrops:
    """Crops by row of a table of kept regions.

    Args:
        regions: RangeIndex; field_hash, crop_x0 to crop_y1 (px), crop_hash, um_per_pixel of the crop.
        fields: content_hash, path and um_per_pixel of each field.
        shape: How crops are cut.
    """

    regions: pd.DataFrame
    fields: pd.DataFrame
    shape: CropShape

    def of(self, rows: Sequence[int]) -> Iterator[Crop]:
        """Crops of some rows, field by field; each field is read once.

        Raises:
            UserError: A field does not show any more what it did when its regions were found.
        """
        chosen = self.regions.iloc[list(rows)]
        for field_hash, inside in chosen.groupby("field_hash", sort=False):
            path, scale = self._known[str(field_hash)]
            image = _read(path)
            for row, *box, expected in inside[[*BOX, "crop_hash"]].itertuples(name=None):
                pixels, found = self.shape.cut(image, tuple(box), um_per_pixel=scale)
                if content_hash(pixels) != expected:
                    raise UserError(f"{path} must be as it was when its regions were found, but has changed")
                yield Crop(row, pixels, math.nan if found is None else found)

    @cached_property
    def _known(self) -> dict[str, tuple[str, float | None]]:
        """Path and scale of each field."""
        columns = (self.fields[name] for name in ("content_hash", "path", "um_per_pixel"))
        return {
            name: (path, None if math.isnan(scale) else float(scale))
            for name, path, scale in zip(*columns, strict=True)
        }

    def one(self, row: int) -> UInt8[np.ndarray, "rows columns 3"]:
        """The crop of one row."""
        (crop,) = self.of([row])
        return crop.image


@lru_cache(maxsize=4)
def _read(path: str) -> UInt8[np.ndarray, "height width 3"]:
    """A field's pixels; crops of a field are asked for one after the other."""
    return read_rgb(Path(path))
