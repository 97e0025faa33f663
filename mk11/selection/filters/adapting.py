"""A colour rule for another laboratory, from its fields without labels.

Light and stain differ between laboratories, one thing does not: nuclei absorb far more green than red cells
do. So cells are first sought by their nuclei, in units of what the laboratory's red cells absorb; a colour
rule is learnt from boxes about these, and again from what that rule finds: self-training. Of the labelled
laboratory it keeps how much darker nuclei are than red cells, and how small cells are beside typical ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mk11.selection.filters.colour_rule import ColourRule
from mk11.selection.filters.examples import Example, examples_hash
from mk11.selection.filters.fitted import FittedFilter
from mk11.selection.filters.learning import contrast, green_density, learn_rule
from mk11.selection.filters.nuclei import boxes_about_nuclei

FEWEST = 3  # whole cells below which nothing is learnt
START = 0.5  # of the labelled cells' size: where the search for the size begins, so that none is too small


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """How a rule is adapted."""

    size_rounds: int  # of looking for nuclei, each at the size of cells that the one before found
    rounds: int  # of learning from what was found
    smallest_nucleus: float  # diameter, of a typical cell's
    growth: float  # of a nucleus' side, on each side: where its cell ends


def adapt_rule(fitted: FittedFilter, fields: Sequence[Example], *, adaptation: Adaptation) -> FittedFilter:
    """The filter with a rule learnt from fields without labels; their boxes are not read.

    Where fewer than three whole cells are found it stays as it is.
    """
    rule = fitted.rule
    stain = green_density([one.image for one in fields])
    least = float(np.sqrt(rule.contrast))  # halfway, on a scale of ratios, from red cells to nuclei
    found = _by_nuclei(fitted, fields, density=least * stain, adaptation=adaptation)
    for _ in range(adaptation.rounds):
        if sum(len(one.sides) for one in found) < FEWEST:
            return fitted
        adapted = fitted.with_rule(_learnt(rule, found, fitted))
        found = [_by_colour(adapted, one, stain=stain, least=least) for one in fields]
    unlabelled = examples_hash([replace(one, boxes=np.zeros((0, 4))) for one in fields])
    told = {**rule.provenance, "adapted_to": unlabelled, "adapted_to_fields": len(fields)}
    return fitted.with_rule(replace(adapted.rule, provenance=told))


def _by_nuclei(
    fitted: FittedFilter, fields: Sequence[Example], *, density: float, adaptation: Adaptation
) -> list[Example]:
    """The fields with boxes about their nuclei, at the scale that these themselves suggest."""
    rule = replace(fitted.rule, cell_px=START * fitted.rule.cell_px)
    for _ in range(adaptation.size_rounds):
        found = [
            _with_nuclei(fitted, one, rule=rule, density=density, adaptation=adaptation) for one in fields
        ]
        sides = np.concatenate([one.sides for one in found])
        if len(sides) >= FEWEST:
            rule = replace(rule, cell_px=float(np.median(sides)))
    return found


def _with_nuclei(
    fitted: FittedFilter, field: Example, *, rule: ColourRule, density: float, adaptation: Adaptation
) -> Example:
    side = fitted.segmentation.cell_side
    boxes = boxes_about_nuclei(
        field.image, scale=rule.scale(field.um_per_pixel, cell_side=side), density=density,
        smallest=adaptation.smallest_nucleus, growth=adaptation.growth, settings=fitted.segmentation,
    )  # fmt: skip
    return replace(field, boxes=boxes)


def _by_colour(adapted: FittedFilter, field: Example, *, stain: float, least: float) -> Example:
    """The field with the kept regions that have a nucleus as its boxes."""
    regions = adapted.find(field.image, um_per_pixel=field.um_per_pixel, seed=0)
    boxes = np.array([region[:4] for region in regions if region.kept], float).reshape(-1, 4)
    with_nucleus = [contrast(field.image, box, stain=stain) >= least for box in boxes]
    return replace(field, boxes=boxes[np.array(with_nucleus, bool)])


def _learnt(rule: ColourRule, found: Sequence[Example], fitted: FittedFilter) -> ColourRule:
    """A rule learnt from what was found; small cells in the proportion they had in the labelled fields."""
    learnt = learn_rule(found, settings=fitted.segmentation)
    smallest = rule.smallest_px * learnt.cell_px / rule.cell_px
    return replace(learnt, contrast=rule.contrast, smallest_px=smallest)
