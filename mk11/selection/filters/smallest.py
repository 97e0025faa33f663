"""How small a cell may be, learnt from examples of which some are marked wrongly.

One platelet that an annotator marked as a cell would, as the smallest example, let every platelet through.
Its price shows in the examples themselves, where all cells are marked: the false regions of its size.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from mk11.selection.filters.examples import Example
from mk11.selection.filters.fitted import FittedFilter
from mk11.selection.filters.limits import disc_diameter
from mk11.selection.scoring.matching import match_by_centre

PRICE = 10  # false regions that outweigh leaving a marked cell out of the measure
MOST = 0.1  # of the marked cells that may be left out

Diameters = Float64[np.ndarray, " regions"]


def with_sound_limit(fitted: FittedFilter, examples: Sequence[Example]) -> FittedFilter:
    """The filter with the smallest cell at whose size few false regions are found in the examples.

    Each smaller cell that is not counted costs as much as PRICE false regions; `too_small_px` of the rule's
    provenance lists their sides. Crops, and fields whose scale is known, say nothing: the one show no false
    regions, the other have a limit in micrometres.
    """
    told = [one for one in examples if not one.is_crop and one.um_per_pixel is None]
    sides = np.sort(np.concatenate([np.zeros(0), *(one.sides for one in told)]))
    if len(sides) < 2 or fitted.given_limits.min_diameter_px is not None:
        return fitted
    false = np.sort(np.concatenate([_false_regions(fitted, one) for one in told]))
    candidates = sides[: 1 + math.floor(MOST * len(sides))]
    admitted = len(false) - np.searchsorted(false, fitted.smallest_share * candidates)
    left_out = int(np.argmin(admitted + PRICE * np.arange(len(candidates))))
    if not left_out:
        return fitted
    provenance = {**fitted.rule.provenance, "too_small_px": candidates[:left_out].tolist()}
    smallest = float(candidates[left_out])
    return fitted.with_rule(replace(fitted.rule, smallest_px=smallest, provenance=provenance))


def _false_regions(fitted: FittedFilter, example: Example) -> Diameters:
    """Diameters (px, of discs of their areas) of the kept regions that are no marked cell."""
    kept = [one for one in fitted.find(example.image, um_per_pixel=None, seed=0) if one.kept]
    boxes = np.array([one[:4] for one in kept], float).reshape(-1, 4)
    right = {match.region for match in match_by_centre(boxes, example.boxes)}
    return np.array(
        [disc_diameter(one.area) for number, one in enumerate(kept) if number not in right], float
    )
