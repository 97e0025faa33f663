"""Cell region filtering by a colour rule that was learnt from the scanner's own cells."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mk11.selection.filters.colour_rule import NEUTRAL, STEP, ColourRule
from mk11.selection.filters.components import Component, reading_order, region_of
from mk11.selection.filters.limits import Limits
from mk11.selection.filters.segmentation import Segmentation, cell_mask, cells, evidence, resampled
from mk11.selection.regions import Region, RegionFilter

WEAK = "weak"  # the colours of the whole region speak too little for a cell
Picture = UInt8[np.ndarray, "height width 3"]


class FittedFilter(RegionFilter):
    """Evidence by colour, a mask, touching cells apart, limits."""

    def __init__(
        self, *, rule: ColourRule, segmentation: Segmentation, limits: Limits, min_evidence: float,
        smallest_share: float, noise: float,
    ) -> None:  # fmt: skip
        """What each key is: conf/filter/fitted.yaml."""
        self.rule, self.segmentation, self.min_evidence = rule, segmentation, min_evidence
        self.smallest_share, self.noise, self.given_limits = smallest_share, noise, limits
        own = limits.min_diameter_px
        px = smallest_share * rule.smallest_px if own is None else own
        self.limits = replace(limits, min_diameter_px=px)

    def with_rule(self, rule: ColourRule) -> "FittedFilter":
        """The same filter with another rule."""
        return FittedFilter(
            rule=rule, segmentation=self.segmentation, limits=self.given_limits,
            min_evidence=self.min_evidence, smallest_share=self.smallest_share, noise=self.noise,
        )  # fmt: skip

    def find(self, image: Picture, *, um_per_pixel: float | None, seed: int) -> list[Region]:
        """Regions of an RGB field; nothing is drawn by chance."""
        scale = self.rule.scale(um_per_pixel, cell_side=self.segmentation.cell_side)
        small = resampled(image, scale)
        found = evidence(small, self.rule.table, settings=self.segmentation)
        mask = cell_mask(found, settings=self.segmentation)
        smallest = max(1, round(self.noise * self.segmentation.cell_side**2))
        place = partial(region_of, image=small, scale=scale, field=image.shape[:2])
        return reading_order(
            [
                place(part, judge=partial(self._judged, part, found, um_per_pixel))
                for part in cells(mask, settings=self.segmentation, smallest=smallest)
            ]
        )

    def _judged(
        self,
        part: Component,
        found: UInt8[np.ndarray, "height width"],
        um_per_pixel: float | None,
        **measures: Any,  # noqa: ANN401  what `region_of` measured
    ) -> str:
        reason = self.limits.reason(um_per_pixel=um_per_pixel, **measures)
        mean = (float(found[part.place][part.pixels].mean()) - NEUTRAL) / STEP
        return reason or (WEAK if mean < self.min_evidence else "")

    def about(self) -> Mapping[str, Any]:
        """What decides about its regions; the examples are told by their hash."""
        return {
            "rule": self.rule.hash,
            "examples": self.rule.provenance["examples"],
            "segmentation": asdict(self.segmentation),
            "limits": self.limits.about(),
            "min_evidence": self.min_evidence,
            "noise": self.noise,
        }
