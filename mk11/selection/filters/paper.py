"""The published rule of cell region filtering (ActiveSSF, arXiv 2502.08200, sec. 3, CRF)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from mk11.data.settings import check_whole
from mk11.errors import UserError
from mk11.selection.filters.clustering import merge_centres, nearest_centre, refined_clusters
from mk11.selection.filters.components import components, reading_order, region_of
from mk11.selection.filters.histogram import colour_cube, colour_histogram, looked_up
from mk11.selection.filters.hsv import HsvRange, in_any
from mk11.selection.filters.illumination import NORMALISATIONS
from mk11.selection.filters.limits import Limits
from mk11.selection.regions import Region, RegionFilter

Picture = UInt8[np.ndarray, "height width 3"]


class PaperFilter(RegionFilter):
    """Illumination, blur, 20 clusters of colours merged into 10, HSV ranges, connected regions, limits."""

    def __init__(
        self, *, illumination: str, blur_side: int, blur_sigma: float, bits: int, cluster_bits: int,
        start_bits: int, clusters: int, merged: int, starts: int, trials: int, iterations: int,
        refinements: int, stride: float, ranges: Mapping[str, Mapping[str, Sequence[int]]], limits: Limits,
        noise: int,
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
        self.kmeans: dict[str, Any] = {
            "cluster_bits": min(cluster_bits, bits), "start_bits": min(start_bits, cluster_bits, bits),
            "clusters": clusters, "starts": starts,
            "trials": trials, "iterations": iterations, "refinements": refinements, "stride": stride,
        }  # fmt: skip
        _check_kmeans({"bits": bits, **self.kmeans})
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
        planes = [cv2.GaussianBlur(plane, (self.blur_side,) * 2, self.blur_sigma) for plane in even]
        cube = colour_cube(planes, bits=self.bits)
        finest = colour_histogram(cube)
        centres = refined_clusters(finest, seed=seed, **self.kmeans)
        labels = nearest_centre(finest.means, centres)
        masses = np.bincount(labels, finest.counts, len(centres)).astype(np.int64)
        merged, member = merge_centres(centres, masses, clusters=self.merged)
        accepted = in_any(np.rint(merged).astype(np.uint8), list(self.ranges.values()))
        np.put(
            cube, finest.codes, accepted[member][labels]
        )  # in place: a second cube costs more than filling it
        return looked_up(planes, cube)

    def about(self) -> Mapping[str, Any]:
        """What decides about its regions."""
        told = {
            name: getattr(self, name)
            for name in ("illumination", "blur_side", "blur_sigma", "bits", "merged")
        }
        ranges = {name: one.told() for name, one in self.ranges.items()}
        limits = {"limits": self.limits.about(), "noise": self.noise}
        return {"rule": "paper", **told, **self.kmeans, "ranges": ranges, **limits}


def _check_kmeans(given: Mapping[str, Any]) -> None:
    """UserError for a setting of K-means that its key cannot hold."""
    for key in ("starts", "trials", "iterations"):
        check_whole(f"filter.{key}", given[key], least=1)
    check_whole("filter.refinements", given["refinements"], least=0)
    for key in ("start_bits", "cluster_bits", "bits"):
        if given[key] not in range(1, 9):
            raise UserError(f"filter.{key} must be in 1-8, but is {given[key]}")
    if not 0 < given["stride"] < 2:
        raise UserError(f"filter.stride must lie between 0 and 2, but is {given['stride']}")
