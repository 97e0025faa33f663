"""A colour rule learnt from examples: twenty boxes are enough.

The evidence for a colour c is log(p(c | inside) / p(c | outside)). Boxes hold ground and red cells too, but a
smaller share of them than there is outside, so their evidence stays negative. Both shares are counts over
colours, each picture with the same weight, smoothed by a Gaussian over neighbouring colours.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float64, Int64, UInt8
from scipy import ndimage

from mk11.errors import UserError
from mk11.selection.filters.colour_rule import BITS, NEUTRAL, STEP, ColourRule, Table
from mk11.selection.filters.examples import Example, examples_hash, inside, outside
from mk11.selection.filters.histogram import colour_codes
from mk11.selection.filters.illumination import ground_and_stain
from mk11.selection.filters.segmentation import Segmentation, even_colours, resampled

CODES = 1 << 3 * BITS
SPREAD = 1.0  # steps of quantised colour over which counts are smoothed
RARE = 1e-6  # share below which a colour counts as never seen: its evidence tends to 0
CLIPPED = 4.0  # evidence is kept within +-4: no colour decides alone

Shares = Float64[np.ndarray, " codes"]
Found = Int64[np.ndarray, " pixels"]
Rest = Int64[np.ndarray, " others"]


class Sizes(NamedTuple):
    """Sides of the examples' boxes."""

    cell_px: float
    smallest_px: float
    cell_um: float | None


def learn_rule(examples: Sequence[Example], *, settings: Segmentation) -> ColourRule:
    """The colour rule of some examples.

    Raises:
        UserError: No example has a box.
    """
    examples = [one for one in examples if len(one.boxes)]
    if not examples:
        raise UserError("filter.examples must hold at least one labelled cell, but has none")
    sizes = sizes_of(examples)
    pairs = [colours_of(one, scale=scale_of(one, sizes, settings), settings=settings) for one in examples]
    return ColourRule(
        table=table_of_shares(
            smoothed_shares([cell for cell, _ in pairs]), smoothed_shares([rest for _, rest in pairs])
        ),
        **sizes._asdict(),
        contrast=contrast_of(examples),
        provenance=provenance_of(examples),
    )


def sizes_of(examples: Sequence[Example]) -> Sizes:
    """Typical and smallest cell; boxes that a picture's edge cuts count only where there are no others."""
    sides = np.concatenate([one.sides for one in examples])
    if not len(sides):
        sides = np.concatenate(
            [np.sqrt(np.prod(one.boxes[:, 2:] - one.boxes[:, :2], axis=1)) for one in examples]
        )
    um = [one.sides * one.um_per_pixel for one in examples if one.um_per_pixel is not None]
    known = len(um) == len(examples) and sum(map(len, um)) > 0
    cell_um = float(np.median(np.concatenate(um))) if known else None
    return Sizes(float(np.median(sides)), float(sides.min()), cell_um)


def scale_of(example: Example, sizes: Sizes, settings: Segmentation) -> float:
    """By what an example is resampled: to the scale at which fields are looked at."""
    if sizes.cell_um is not None and example.um_per_pixel is not None:
        return settings.cell_side * example.um_per_pixel / sizes.cell_um
    return settings.cell_side / sizes.cell_px


def colours_of(example: Example, *, scale: float, settings: Segmentation) -> tuple[Found, Rest]:
    """Codes of pixels inside the cells' ellipses, and of those outside all boxes (of a crop: its corners)."""
    image = resampled(example.image, scale)
    codes = colour_codes(even_colours(image, sigma=settings.blur_sigma), bits=BITS).astype(np.int64)
    boxes = example.boxes * scale
    cell = inside(codes.shape, boxes)
    return codes[cell], codes[~cell if example.is_crop else outside(codes.shape, boxes)]


def smoothed_shares(found: Sequence[np.ndarray]) -> Shares:
    """Share of each colour, every picture with the same weight, smoothed over neighbouring colours."""
    shares = np.zeros(CODES)
    for codes in found:
        shares += np.bincount(codes, minlength=CODES) / max(len(codes), 1)
    levels = 1 << BITS
    smooth = ndimage.gaussian_filter(shares.reshape(levels, levels, levels), SPREAD, mode="constant").ravel()
    return smooth / max(smooth.sum(), RARE)


def table_of_shares(cell: Shares, rest: Shares) -> Table:
    """Evidence of each colour, in steps."""
    log_ratio = np.log((cell + RARE) / (rest + RARE))
    steps = np.clip(log_ratio, -CLIPPED, CLIPPED) * STEP + NEUTRAL
    return np.clip(np.rint(steps), 0, 255).astype(np.uint8)


def contrast_of(examples: Sequence[Example]) -> float:
    """Median over cells of their nucleus' density in green, relative to what is stained in these pictures."""
    stain = green_density([one.image for one in examples])
    found = [contrast(one.image, box, stain=stain) for one in examples for box in one.boxes]
    return float(np.median(found))


def green_density(images: Sequence[np.ndarray]) -> float:
    """Optical density in green of the stained pixels, mostly red cells: median over pictures."""
    pairs = [ground_and_stain(image) for image in images]
    densities = [np.log(max(ground[1], 1.0) / max(stain[1], 1.0)) for ground, stain in pairs]
    return max(float(np.median(densities)), 0.01)


def contrast(
    image: UInt8[np.ndarray, "height width 3"], box: Float64[np.ndarray, "4"], *, stain: float
) -> float:
    """Optical density in green of the darkest fifth of a box, in units of `stain`: nuclei reach 2 to 6."""
    x0, y0, x1, y1 = (max(0, int(value)) for value in box)
    green = np.sort(image[y0:y1, x0:x1, 1].ravel())
    if not len(green):
        return 0.0
    ground, _ = ground_and_stain(image)
    darkest = green[: max(1, len(green) // 5)].astype(float)
    return float(np.log(max(ground[1], 1.0) / np.maximum(darkest, 1.0)).mean() / stain)


def provenance_of(examples: Sequence[Example]) -> dict[str, object]:
    """Where a rule comes from."""
    return {
        "examples": examples_hash(examples),
        "pictures": len(examples),
        "cells": sum(len(one.boxes) for one in examples),
        "crops": sum(one.is_crop for one in examples),
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {"mk11": version("mk11"), "numpy": np.__version__, "opencv": cv2.__version__},
    }
