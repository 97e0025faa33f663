"""Nuclei in a field of any laboratory, by how much green they absorb: where self-training begins."""

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from mk11.selection.filters.components import components
from mk11.selection.filters.illumination import ground_and_stain
from mk11.selection.filters.segmentation import Segmentation, filled, morphology, resampled

Picture = UInt8[np.ndarray, "height width 3"]


def boxes_about_nuclei(
    image: Picture, *, scale: float, density: float, smallest: float, growth: float, settings: Segmentation
) -> Float64[np.ndarray, "boxes 4"]:
    """Boxes about dark parts of a field, px of the field.

    Args:
        image: The field.
        scale: By what it is resampled, so that a typical cell is `settings.cell_side` px wide.
        density: Optical density in green from which a pixel is nucleus.
        smallest: Diameter of the smallest nucleus, as a share of a typical cell's.
        growth: Share of its side that a box grows on each side, for the cytoplasm.
        settings: How masks are made.
    """
    small = cv2.GaussianBlur(resampled(image, scale), (0, 0), settings.blur_sigma)
    ground, _ = ground_and_stain(small)
    mask = (small[..., 1] <= ground[1] * np.exp(-density)).astype(np.uint8)
    mask = morphology(mask, cv2.MORPH_OPEN, settings.opening)
    mask = filled(morphology(mask, cv2.MORPH_CLOSE, settings.closing))
    area = np.pi / 4 * (smallest * settings.cell_side) ** 2
    found = [part[:4] for part in components(mask, smallest=max(1, round(area)))]
    boxes = np.array(found, float).reshape(-1, 4)
    sides = boxes[:, 2:] - boxes[:, :2]
    height, width = mask.shape
    grown = np.concatenate([boxes[:, :2] - growth * sides, boxes[:, 2:] + growth * sides], axis=1)
    return np.clip(grown, 0, [width, height, width, height]) / scale
