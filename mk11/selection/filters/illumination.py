"""Colours of a field as if its light were white and even.

Fields come as pictures and leave as planes, red, green and blue: OpenCV looks up and counts these faster.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

Picture = UInt8[np.ndarray, "height width 3"]
Planes = Sequence[UInt8[np.ndarray, "height width"]]  # red, green, blue
Colour = Float[np.ndarray, "3"]

WHITE = 240  # what the empty ground becomes: below 255, so that brighter pixels keep their differences
COARSE = 48  # px, longer side of the picture that the background is taken from
BRIGHT = 95  # percentile of green that is surely ground
ENOUGH = 200  # px a side, of pixels evenly picked, that the colour of the ground is taken from
REACH = 9  # px of it: wider than any cell, so that some ground lies within reach of every pixel


def grey_world(image: Picture) -> Planes:
    """Scale the channels to one mean: the field is grey on average (Buchsbaum 1980)."""
    means = np.maximum(cv2.mean(image)[:3], 1.0)
    return _look_up(image, np.arange(256.0)[:, None] * means.mean() / means)


def flat_field(image: Picture) -> Planes:
    """Divide by the large-scale background: the brightest nearby ground, smoothed, becomes `WHITE`."""
    height, width, _ = image.shape
    ratio = COARSE / max(height, width)
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    coarse = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    ground = cv2.dilate(coarse, np.ones((REACH, REACH), np.uint8))
    ground = cv2.GaussianBlur(ground, (0, 0), REACH / 2)
    return cv2.split(cv2.divide(image, cv2.resize(ground, (width, height)), scale=WHITE))


def ground_and_stain(image: Picture) -> tuple[Colour, Colour]:
    """Median colours of the pixels above and below Otsu's threshold in green: empty ground, and cells.

    Green, because the stains of nuclei and of red cells both absorb it most. Before, all that lets through
    less than half of the light counts as half: else the threshold would part nuclei from all the rest.
    """
    step = max(1, max(image.shape) // ENOUGH)
    image = image[::step, ::step]
    green = np.ascontiguousarray(image[..., 1])
    green = np.maximum(green, np.uint8(np.percentile(green, BRIGHT) / 2))
    threshold, _ = cv2.threshold(green, 0, 255, cv2.THRESH_OTSU)
    bright = green > threshold
    if not bright.any() or bright.all():  # one colour: all of it is ground
        same = np.median(image.reshape(-1, 3), axis=0)
        return same, same
    return np.median(image[bright], axis=0), np.median(image[~bright], axis=0)


def white_point(image: Picture) -> Planes:
    """Scale the channels so that the empty ground becomes `WHITE` in each.

    By Beer and Lambert's law a field is light times what the stain lets through; this divides by the light.
    """
    ground, _ = ground_and_stain(image)
    return _look_up(image, np.arange(256.0)[:, None] * WHITE / np.maximum(ground, 1.0))


def unchanged(image: Picture) -> Planes:
    """The field as it is."""
    return cv2.split(image)


def _look_up(image: Picture, table: Float[np.ndarray, "256 3"]) -> Planes:
    rounded = np.clip(np.rint(table.T), 0, 255).astype(np.uint8)
    return [cv2.LUT(plane, values) for plane, values in zip(cv2.split(image), rounded, strict=True)]


NORMALISATIONS: dict[str, Callable[[Picture], Planes]] = {
    "none": unchanged,
    "grey_world": grey_world,
    "flat_field": flat_field,
    "white_point": white_point,
}
