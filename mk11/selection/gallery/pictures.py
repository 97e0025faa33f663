"""Pictures small enough to lie inside the page: WebP thumbnails, fetched field by field."""

import math
from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from mk11.selection.gallery.content import GalleryContent

BAR_UM = 5  # length of the bar in a crop: half a small cell, a tenth of a giant one
FIELD_BAR_UM = 50
LONGEST_BAR = 90  # per cent of the picture


@dataclass(frozen=True)
class Shot:
    """A picture as the page holds it."""

    uri: str
    height: int  # px, before it was made smaller
    width: int
    um_per_pixel: float  # NaN: unknown

    @property
    def share(self) -> float:
        """Width in per cent of a square tile that holds the whole picture."""
        return 100 * self.width / max(self.width, self.height)

    def bar(self, um: float) -> float | None:
        """Width of a bar of that length in per cent of the picture; None if too long or without a scale."""
        share = 100 * um / (self.um_per_pixel * self.width)
        return share if share <= LONGEST_BAR else None  # NaN is not


@dataclass(frozen=True)
class Pictures:
    """All pictures that the page needs."""

    crops: dict[int, Shot]  # by candidate row
    fields: dict[str, Shot]  # by id


def load_pictures(content: GalleryContent, *, rows: Collection[int], fields: Collection[str]) -> Pictures:
    """Fetch and shrink the crops of some candidates and some fields, in the order of fields."""
    limits, scale = content.limits, content.fields.set_index("id")["um_per_pixel"]
    crops: dict[int, Shot] = {}
    shown: dict[str, Shot] = {}
    wanted = content.candidates.loc[sorted(set(rows))]
    by_field = {str(name): part for name, part in wanted.groupby("field", sort=False)}
    for name in content.fields.loc[content.fields["id"].isin({*by_field, *fields}), "id"]:
        part = by_field.get(name, wanted.iloc[:0])
        for row, um in zip(part.index, part["um_per_pixel"], strict=True):
            crops[int(row)] = _shot(content.crop(int(row)), um, limits.crop_px, limits.quality)
        if name in fields:
            shown[name] = _shot(content.field(name), scale[name], limits.field_px, limits.quality)
    return Pictures(crops, shown)


def webp_uri(image: UInt8[np.ndarray, "height width 3"], *, longest: int, quality: int) -> str:
    """An RGB picture as a data URI, its longer side at most `longest` px."""
    height, width, _ = image.shape
    zoom = min(1.0, longest / max(height, width))
    if zoom < 1:
        size = (max(1, round(zoom * width)), max(1, round(zoom * height)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    blue_first = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    whole, encoded = cv2.imencode(".webp", blue_first, [cv2.IMWRITE_WEBP_QUALITY, quality])
    assert whole
    return f"data:image/webp;base64,{b64encode(encoded.tobytes()).decode()}"


def _shot(image: UInt8[np.ndarray, "height width 3"], um: float, longest: int, quality: int) -> Shot:
    height, width, _ = image.shape
    known = um if um is not None and math.isfinite(um) and um > 0 else math.nan
    return Shot(webp_uri(image, longest=longest, quality=quality), height, width, known)
