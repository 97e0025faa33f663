"""From a colour rule to the cells of a field: evidence of every pixel, a mask, touching cells apart."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from mk11.selection.filters.colour_rule import BITS, NEUTRAL, STEP, Table
from mk11.selection.filters.components import Component, components
from mk11.selection.filters.histogram import looked_up
from mk11.selection.filters.illumination import Planes, white_point
from mk11.selection.filters.splitting import split_touching

Picture = UInt8[np.ndarray, "height width 3"]
Plane = UInt8[np.ndarray, "height width"]


@dataclass(frozen=True, kw_only=True)
class Segmentation:
    """How masks are made; px are those of a field resampled so that a typical cell is `cell_side` px wide."""

    cell_side: int
    blur_sigma: float  # px, of the picture
    smoothing: float  # px, of the evidence
    threshold: float  # evidence from which a pixel is cell
    opening: int  # px, diameter: thinner things go
    closing: int  # px, diameter: narrower gaps are filled, as between the lobes of a nucleus
    last_opening: int  # px, diameter: thinner appendages go, after gaps and holes were filled
    neck: float  # neck / smaller part up to which touching cells are split; 0 = never
    part: float  # of a typical cell's radius: what both parts must reach


def resampled(image: Picture, scale: float) -> UInt8[np.ndarray, "rows columns 3"]:
    """A field with `scale` px for each of its own."""
    height, width, _ = image.shape
    size = max(8, round(width * scale)), max(8, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def even_colours(image: Picture, *, sigma: float) -> Planes:
    """What a colour rule looks at: white ground, pixel noise blurred."""
    return [cv2.GaussianBlur(plane, (3, 3), sigma) for plane in white_point(image)]


def evidence(image: Picture, table: Table, *, settings: Segmentation) -> Plane:
    """Smoothed evidence of each pixel, in steps of 1 / STEP about NEUTRAL."""
    cube = table.astype(np.float32).reshape((1 << BITS,) * 3)
    found = looked_up(even_colours(image, sigma=settings.blur_sigma), cube)
    return cv2.GaussianBlur(found, (0, 0), settings.smoothing) if settings.smoothing else found


def in_steps(value: float) -> float:
    """Evidence in steps of the table."""
    return value * STEP + NEUTRAL


def cell_mask(found: Plane, *, settings: Segmentation) -> Plane:
    """1 where the evidence reaches the threshold, rounded off and without holes."""
    mask = (found > in_steps(settings.threshold)).astype(np.uint8)
    mask = morphology(mask, cv2.MORPH_OPEN, settings.opening)
    mask = morphology(mask, cv2.MORPH_CLOSE, settings.closing)
    return morphology(filled(mask), cv2.MORPH_OPEN, settings.last_opening)


def filled(mask: Plane) -> Plane:
    """Holes filled: all that lies within an outer outline."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(mask), outlines, -1, 1, cv2.FILLED)


def morphology(mask: Plane, operation: int, diameter: int) -> Plane:
    """Opening or closing by a disc; the field goes on beyond its edge as it is at the edge."""
    if diameter < 2:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    wide = cv2.copyMakeBorder(mask, diameter, diameter, diameter, diameter, cv2.BORDER_REPLICATE)
    return cv2.morphologyEx(wide, operation, disc)[diameter:-diameter, diameter:-diameter].copy()


def cells(mask: Plane, *, settings: Segmentation, smallest: int) -> Iterator[Component]:
    """Connected parts of at least `smallest` px, touching cells apart."""
    radius = settings.part * settings.cell_side / 2
    for component in components(mask, smallest=smallest):
        if settings.neck == 0 or component.area < 2 * np.pi * radius**2:
            yield component
        else:
            yield from _parts(component, neck=settings.neck, radius=radius)


def _parts(component: Component, *, neck: float, radius: float) -> Iterator[Component]:
    labels = split_touching(component.pixels, neck=neck, radius=radius)
    for label in range(1, labels.max() + 1):
        rows, columns = np.nonzero(labels == label)
        y0, y1, x0, x1 = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
        box = (int(component.x0 + x0), int(component.y0 + y0), int(component.x0 + x1), int(component.y0 + y1))
        yield Component(*box, len(rows), labels[y0:y1, x0:x1] == label)
