"""Small changes of brightness, contrast and saturation in one pass."""

import random

import cv2
import numpy as np
from jaxtyping import UInt8

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R 601: weights of red, green and blue in grey


def colour_jitter(
    image: UInt8[np.ndarray, "height width 3"], *, brightness: float, contrast: float, saturation: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Change each of the three by a factor drawn from [1 - strength, 1 + strength] (global `random`)."""
    factors = [random.uniform(1 - strength, 1 + strength) for strength in (brightness, contrast, saturation)]
    return change_colour(image, *factors)


def change_colour(
    image: UInt8[np.ndarray, "height width 3"], brightness: float, contrast: float, saturation: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Brightness b, contrast c and saturation s as one affine map of colour, rounded once.

    x -> b x, then m + c (x - m) about the picture's mean grey m = b mean(luma), then g + s (x - g) about each
    pixel's own grey g = luma(x). Together x -> c b (s I + (1 - s) 1 luma^T) x + (1 - c) m, because the luma
    weights sum to 1 and a grey offset passes the last step unchanged. OpenCV rounds the coefficients to 10
    bits: within one grey level of the exact map.
    """
    mean_grey = brightness * float(LUMA @ np.array(cv2.mean(image)[:3]))
    mix = saturation * np.eye(3) + (1 - saturation) * np.ones((3, 1)) * LUMA
    offset = np.full((3, 1), (1 - contrast) * mean_grey)
    return cv2.transform(image, np.hstack([contrast * brightness * mix, offset]))
