"""The colour around a cell, read off the image's own border."""

import numpy as np
from jaxtyping import UInt8

BORDER = 2  # pixels: the outermost ring is where a centred cell is not
WINDOW = 17  # grey levels: spread of one background under noise and uneven light


def background_colour(image: UInt8[np.ndarray, "height width 3"]) -> tuple[int, int, int]:
    """Median colour of the border pixels around their most common brightness.

    Glass is even and neighbouring cells are not, so that the fullest window of brightness belongs to the
    glass even where neighbours cover more than half of the border; a ground cut out in black is found too.
    """
    border = _border(image)
    brightness = border.astype(np.int32).sum(axis=1) // 3
    counts = np.bincount(brightness, minlength=256)
    mode = np.convolve(counts, np.ones(WINDOW, int), mode="same").argmax()
    common = border[np.abs(brightness - mode) <= WINDOW // 2]
    red, green, blue = np.median(common, axis=0)
    return int(red), int(green), int(blue)


def _border(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "pixels 3"]:
    """The outermost ring of `image`, its corners counted once."""
    ring = np.ones(image.shape[:2], bool)
    ring[BORDER:-BORDER, BORDER:-BORDER] = False
    return image[ring]
