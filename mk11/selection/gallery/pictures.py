"""Pictures small enough to lie inside the page: WebP thumbnails, fetched field by field."""

import math
from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from jaxtyping import UInt8

from mk11.selection.gallery.content import GalleryContent, Picture

BAR_UM = 5  # length of the bar in a crop: half a small cell, a tenth of a giant one
FIELD_BAR_UM = 50
LONGEST_BAR = 90  # per cent of the picture
AROUND = 2  # sides of a box that a view of it has
LEAST_VIEW = 48  # px, side of a view


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

    def place(self, x0: float, y0: float, x1: float, y1: float) -> str:
        """A box (px of the picture) as CSS, in per cent."""
        left, wide = 100 * x0 / self.width, 100 * (x1 - x0) / self.width
        top, high = 100 * y0 / self.height, 100 * (y1 - y0) / self.height
        return f"left:{left:.2f}%;top:{top:.2f}%;width:{wide:.2f}%;height:{high:.2f}%"


class View(NamedTuple):
    """A box of a field that is shown with what lies about it; px of the field."""

    field: str
    x0: int
    y0: int
    x1: int
    y1: int


class Cutout(NamedTuple):
    """A square of a field: its picture, and where its corner lies (px of the field)."""

    shot: Shot
    x0: int
    y0: int


@dataclass(frozen=True)
class Pictures:
    """All pictures that the page needs."""

    crops: dict[int, Shot]  # by candidate row
    fields: dict[str, Shot]  # by id
    views: dict[View, Cutout]


def load_pictures(
    content: GalleryContent, *, rows: Collection[int], fields: Collection[str], views: Collection[View]
) -> Pictures:
    """Fetch and shrink the crops of some candidates, some fields and views, in the order of fields."""
    wanted = content.candidates.loc[sorted(set(rows))]
    by_field = {str(name): part for name, part in wanted.groupby("field", sort=False)}
    views_of = {
        name: {view for view in views if view.field == name} for name in {view.field for view in views}
    }
    pictures = Pictures({}, {}, {})
    known = content.fields[content.fields["id"].isin({*by_field, *fields, *views_of})]
    for name, scale in zip(known["id"], known["um_per_pixel"], strict=True):
        _load_crops(pictures, content, by_field.get(name, wanted.iloc[:0]))
        if name in fields or name in views_of:
            picture = content.field(name)
            _load_views(pictures, content, picture, views_of.get(name, set()), scale)
            if name in fields:
                pictures.fields[name] = _shot(picture, scale, content.limits.field_px, content.limits.quality)
    return pictures


def _load_crops(pictures: Pictures, content: GalleryContent, part: pd.DataFrame) -> None:
    limits = content.limits
    for row, um in zip(part.index, part["um_per_pixel"], strict=True):
        pictures.crops[int(row)] = _shot(content.crop(int(row)), um, limits.crop_px, limits.quality)


def _load_views(
    pictures: Pictures, content: GalleryContent, picture: Picture, views: Collection[View], um: float
) -> None:
    """A cell is as sharp in its view as in its crop."""
    longest = AROUND * content.limits.crop_px
    for view in views:
        x0, y0, side = _square(view, picture.shape[:2])
        cut = np.ascontiguousarray(picture[y0 : y0 + side, x0 : x0 + side])
        pictures.views[view] = Cutout(_shot(cut, um, longest, content.limits.quality), x0, y0)


def _square(view: View, size: tuple[int, ...]) -> tuple[int, int, int]:
    """Corner and side of the square about a box, moved inside the field where it would leave it."""
    height, width = size
    side = max(AROUND * max(view.x1 - view.x0, view.y1 - view.y0), LEAST_VIEW)
    left = min((view.x0 + view.x1 - side) // 2, width - side)
    top = min((view.y0 + view.y1 - side) // 2, height - side)
    return max(0, left), max(0, top), side


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
