"""The published rule of cell region filtering (ActiveSSF, arXiv 2502.08200, sec. 3, CRF)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from mk11.errors import UserError
from mk11.selection.filters.clustering import merge_centres, nearest_centre, refined_clusters
from mk11.selection.filters.components import components, reading_order, region_of
from mk11.selection.filters.histogram import colour_codes, colour_histogram, table_of
from mk11.selection.filters.hsv import HsvRange, in_any
from mk11.selection.filters.illumination import NORMALISATIONS
from mk11.selection.filters.limits import Limits
from mk11.selection.regions import Region, RegionFilter

Picture = UInt8[np.ndarray, "height width 3"]


class PaperFilter(RegionFilter):
    """Illumination, blur, 20 clusters of colours merged into 10, HSV ranges, connected regions, limits."""

    def __init__(
        self, *, illumination: str, blur_side: int, blur_sigma: float, bits: int, cluster_bits: int,
        refinements: int, clusters: int, merged: int, iterations: int, starts: int,
        ranges: Mapping[str, Mapping[str, Sequence[int]]], limits: Limits, noise: int,
    ) -> None:  # fmt: skip
        """What each key is: conf/filter/paper.yaml."""
        if illumination not in NORMALISATIONS:
            allowed = ", ".join(NORMALISATIONS)
            raise UserError(f"filter.illumination must be one of {allowed}, but is {illumination}")
        if not 1 <= merged <= clusters <= 255:
            raise UserError(f"filter.merged must be in 1-filter.clusters ({clusters}), but is {merged}")
        self.illumination, self.bits, self.merged = illumination, bits, merged
        self.blur_side, self.blur_sigma = blur_side, blur_sigma
        self.limits, self.noise = limits, noise
        self.kmeans = {
            "cluster_bits": min(bits, cluster_bits), "refinements": refinements, "clusters": clusters,
            "iterations": iterations, "starts": starts,
        }  # fmt: skip
        self.ranges = {name: HsvRange(**ends) for name, ends in ranges.items()}

    def find(self, image: Picture, *, um_per_pixel: float | None, seed: int) -> list[Region]:
        """Regions of an RGB field; see `RegionFilter.find`."""
        judge = partial(self.limits.reason, um_per_pixel=um_per_pixel)
        mask = self.mask(image, seed=seed)
        return reading_order(
            [
                region_of(part, image, scale=1.0, field=mask.shape, judge=judge)
                for part in components(mask, smallest=self.noise)
            ]
        )

    def mask(self, image: Picture, *, seed: int) -> UInt8[np.ndarray, "height width"]:
        """1 where a pixel's cluster lies in one of the ranges."""
        even = NORMALISATIONS[self.illumination](image)
        smooth = cv2.GaussianBlur(even, (self.blur_side, self.blur_side), self.blur_sigma)
        finest = colour_histogram(smooth, bits=self.bits)
        centres = refined_clusters(finest, bits=self.bits, seed=seed, **self.kmeans)
        labels = nearest_centre(finest.means, centres)
        masses = np.bincount(labels, finest.counts, len(centres)).astype(np.int64)
        merged, member = merge_centres(centres, masses, clusters=self.merged)
        accepted = in_any(np.rint(merged).astype(np.uint8), list(self.ranges.values()))
        table = table_of(finest, accepted[member][labels].astype(np.uint8), bits=self.bits)
        return table[colour_codes(smooth, bits=self.bits)]

    def about(self) -> Mapping[str, Any]:
        """What decides about its regions."""
        told = {
            name: getattr(self, name)
            for name in ("illumination", "blur_side", "blur_sigma", "bits", "merged")
        }
        ranges = {name: one.told() for name, one in self.ranges.items()}
        limits = {"limits": self.limits.about(), "noise": self.noise}
        return {"rule": "paper", **told, **self.kmeans, "ranges": ranges, **limits}
