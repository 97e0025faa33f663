"""The map: every candidate where the first two components of its features place it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from mk11.selection.gallery.content import GalleryContent
from mk11.selection.gallery.words import several

WIDTH = 1000  # of the drawing
MARGIN = 30
FLATTEST, STEEPEST = 0.42, 0.62  # height of the drawing by its width


@dataclass(frozen=True)
class Spot:
    """A candidate with a picture: `style` places it in per cent of the map."""

    row: int
    style: str
    side: str  # where its words have room: CSS classes


@dataclass(frozen=True)
class Cloud:
    """All that is drawn of the map."""

    height: int
    selected: str  # SVG paths of those without a picture
    others: str
    labels: list[tuple[int, float, float]]  # prototype, x, y: the median of its candidates
    spots: list[Spot]
    words: str


def spot_rows(content: GalleryContent) -> list[int]:
    """Candidates with a picture on the map: half of them selected; by prototype, and near to far."""
    if content.positions is None:
        return []
    points = content.candidates.loc[point_rows(content)]
    rejected = points[~points["admitted"]].index
    selected = points[points["admitted"]].index
    count = content.limits.map_thumbnails
    few = min(len(rejected), max(count // 2, count - len(selected)))
    chosen = points.loc[[*selected[: count - few], *rejected[:few]]]
    return [int(row) for row in chosen.sort_values(["prototype", "distance", "crop_hash"]).index]


def point_rows(content: GalleryContent) -> list[int]:
    """Candidates that are drawn: all, or a sample by content hash, which says nothing about the cell."""
    placed = content.candidates[np.isfinite(_positions(content)).all(axis=1)]
    return [int(row) for row in placed.sort_values("crop_hash").index[: content.limits.map_points]]


def cloud(content: GalleryContent, spots: list[int]) -> Cloud | None:
    """The map, with pictures at some of its points; None where nothing has a place."""
    rows = point_rows(content) if content.positions is not None else []
    if not rows:
        return None
    points = content.candidates.loc[rows, ["prototype", "admitted"]]
    places, height = _placed(_positions(content)[rows])
    points["x"], points["y"] = places[:, 0], places[:, 1]
    where = dict(zip(rows, places, strict=True))
    admitted, shown = points["admitted"].to_numpy(dtype=bool), points.index.isin(spots)
    return Cloud(
        height=height,
        selected=_dots(places[admitted & ~shown]),
        others=_dots(places[~admitted & ~shown]),
        labels=_labels(points),
        spots=[_spot(row, where[row], height) for row in spots],
        words=_words(len(rows), len(content.candidates), len(spots)),
    )


def _positions(content: GalleryContent) -> Float[np.ndarray, "candidates 2"]:
    assert content.positions is not None
    return content.positions


def _placed(positions: Float[np.ndarray, "points 2"]) -> tuple[Float[np.ndarray, "points 2"], int]:
    """In units of the drawing, y downwards, both axes at one scale; and the drawing's height."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    wide, tall = np.maximum(high - low, 1e-9)
    height = round(WIDTH * float(np.clip(tall / wide, FLATTEST, STEEPEST)))
    room = np.array([WIDTH - 2 * MARGIN, height - 2 * MARGIN])
    zoom = min(room[0] / wide, room[1] / tall) if max(wide, tall) > 1e-8 else 0.0
    middle = (low + high) / 2
    return np.array([WIDTH / 2, height / 2]) + zoom * (positions - middle) * [1, -1], height


def _dots(places: Float[np.ndarray, "points 2"]) -> str:
    """Lines of no length: with round ends each is a dot, at the cost of a few bytes."""
    return "".join(f"M{x:.0f} {y:.0f}h0" for x, y in places)


def _labels(points: pd.DataFrame) -> list[tuple[int, float, float]]:
    middles = points[points["prototype"] >= 0].groupby("prototype")[["x", "y"]].median().round(1)
    return [(int(number), x, y) for number, x, y in middles.itertuples()]


def _spot(row: int, place: Float[np.ndarray, "2"], height: int) -> Spot:
    left, top = 100 * place[0] / WIDTH, 100 * place[1] / height
    side = f"{'leftwards' if left > 50 else 'rightwards'} {'up' if top > 50 else 'down'}"
    return Spot(row, f"left:{left:.2f}%;top:{top:.2f}%", side)


def _words(drawn: int, candidates: int, pictures: int) -> str:
    all_of_them = (
        f"All {several(candidates, 'candidate')}"
        if drawn == candidates
        else (f"{drawn:,} of {several(candidates, 'candidate')}")
    )
    return f"{all_of_them}, {pictures:,} with a picture"
