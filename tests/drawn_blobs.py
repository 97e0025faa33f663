"""Fields of purple cells among pink red cells on light ground, with the boxes of the purple ones."""

import numpy as np

from mk11.selection.filters.examples import Example
from mk11.selection.filters.fitted import FittedFilter
from mk11.selection.filters.learning import learn_rule
from mk11.selection.filters.limits import Limits
from mk11.selection.filters.segmentation import Segmentation

GROUND, RED, CYTOPLASM, NUCLEUS = (225, 222, 228), (205, 160, 165), (175, 140, 205), (95, 50, 150)
SEGMENTATION = Segmentation(
    cell_side=32, blur_sigma=1.5, smoothing=1.0, threshold=-0.25, opening=3, closing=5, last_opening=3,
    neck=0.8, part=0.5,
)  # fmt: skip
LIMITS = Limits(
    min_side_px=None, min_side_um=None, min_diameter_px=None, min_diameter_um=6.0, min_fill=0.0,
    keep_border=True,
)  # fmt: skip


def a_field(seed, *, cells=((50, 60, 16), (130, 90, 20)), light=(1.0, 1.0, 1.0), um_per_pixel=None):
    """Cells are (x, y, radius); red cells of radius 9 lie in rows between."""
    generator = np.random.default_rng(seed)
    picture = np.full((140, 200, 3), GROUND, float)
    rows, columns = np.ogrid[:140, :200]
    for x in range(10, 200, 26):
        picture[(rows - 16) ** 2 + (columns - x) ** 2 <= 81] = RED
        picture[(rows - 128) ** 2 + (columns - x) ** 2 <= 81] = RED
    for x, y, radius in cells:
        picture[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = CYTOPLASM
        picture[(rows - y) ** 2 + (columns - x) ** 2 <= (0.65 * radius) ** 2] = NUCLEUS
    noisy = (picture + generator.normal(0, 4, picture.shape)) * light
    boxes = np.array([[x - r, y - r, x + r + 1, y + r + 1] for x, y, r in cells], float).reshape(-1, 4)
    return Example(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), boxes, um_per_pixel)


def learnt(examples):
    return learn_rule(examples, settings=SEGMENTATION)


def fitted(rule, **given):
    settings = {"segmentation": SEGMENTATION, "limits": LIMITS, "min_evidence": 0.5, "smallest_share": 0.6}
    return FittedFilter(rule=rule, noise=0.01, **{**settings, **given})
