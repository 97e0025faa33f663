"""Noise and soft shapes: what outlines, chromatin and granules are made of."""

from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, Float32

Plane = Float32[np.ndarray, "height width"]

TILE = 512  # pixels; a tile continues itself at its borders
RIM = 0.6  # pixels; measured: areas of filled outlines are then true to 1 %
ANTIALIAS = 4  # fractional bits of OpenCV's coordinates


@lru_cache(maxsize=16)
def noise_tile(grain: float) -> Plane:
    """Gaussian noise of mean 0 and variance 1, smoothed to `grain` pixels; the same in every process."""
    white = np.random.default_rng(int(grain * 1000)).standard_normal((TILE, TILE))
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None])
    smooth = np.fft.irfft2(np.fft.rfft2(white) * np.exp(-2 * (np.pi * frequency * grain) ** 2), (TILE, TILE))
    tile = ((smooth - smooth.mean()) / smooth.std()).astype(np.float32)
    return np.tile(tile, (2, 2))


def noise(generator: np.random.Generator, shape: tuple[int, int], grain: float) -> Plane:
    """A random part of a noise tile, mirrored at random; what is larger than a tile repeats it."""
    top, left = generator.integers(TILE, size=2)
    tile = noise_tile(grain)
    if max(shape) > TILE:
        tile = np.tile(tile[:TILE, :TILE], (shape[0] // TILE + 2, shape[1] // TILE + 2))
    part = tile[top : top + shape[0], left : left + shape[1]]
    down, right = generator.choice((-1, 1), size=2)
    return part[::down, ::right]


def soft_step(plane: Plane, edge: float, width: float) -> Plane:
    """0 below `edge`, 1 above `edge + width`, a straight ramp between."""
    ramp = plane * np.float32(1 / width) - np.float32(edge / width)
    return np.minimum(np.maximum(ramp, np.float32(0), out=ramp), np.float32(1), out=ramp)


def outline(
    generator: np.random.Generator, radius: float, wobble: float, points: int = 64
) -> Float[np.ndarray, "points 2"]:
    """A closed irregular outline (x, y) around 0 that encloses the area of a disc of `radius`."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    order = np.arange(2, 7)
    strength = wobble * generator.standard_normal(5) * 2 / order
    phase = generator.uniform(0, 2 * np.pi, 5)
    distance = 1 + (strength[:, None] * np.cos(order[:, None] * angle + phase[:, None])).sum(axis=0)
    distance = np.maximum(distance, 0.4)
    distance *= radius / np.sqrt(np.mean(distance**2))
    return distance[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


def filled(points: Float[np.ndarray, "points 2"], side: int) -> Plane:
    """Antialiased inside of a polygon around the centre of a square canvas, from 0 to 1.

    OpenCV fills what the outline touches as well, so the outline is drawn RIM pixels further in.
    """
    canvas = np.zeros((side, side), np.uint8)
    inner = points * (1 - RIM / np.hypot(points[:, 0], points[:, 1]).mean())
    fixed = np.round((inner + (side - 1) / 2) * 2**ANTIALIAS).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], 255, cv2.LINE_AA, ANTIALIAS)
    return canvas.astype(np.float32) / 255


def discs(circles: Float[np.ndarray, "discs 3"], side: int) -> Plane:
    """Antialiased union of discs (x, y, radius) around the centre of a square canvas, from 0 to 1."""
    canvas = np.zeros((side, side), np.uint8)
    centre = (side - 1) / 2
    shifted = circles + np.array([centre, centre, 0])
    for x, y, radius in np.round(shifted * 2**ANTIALIAS).astype(int):
        cv2.circle(canvas, (int(x), int(y)), int(radius), 255, -1, cv2.LINE_AA, ANTIALIAS)
    return canvas.astype(np.float32) / 255
