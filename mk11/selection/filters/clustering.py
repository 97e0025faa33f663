"""Clusters of colours: K-means weighted by how often a colour occurs (MacQueen 1967), then Ward's merging.

No product of matrices here: BLAS adds in an order that depends on its threads, these sums do not. So a field
and a seed give the same clusters to the bit.
"""

import numpy as np
from jaxtyping import Float64, Int64

from mk11.selection.filters.histogram import ColourHistogram, coarser

Centres = Float64[np.ndarray, "clusters 3"]
Colours = Float64[np.ndarray, "colours 3"]
Weights = Int64[np.ndarray, " colours"]


def cluster_colours(
    histogram: ColourHistogram, *, clusters: int, iterations: int, starts: int, seed: int
) -> Centres:
    """Centres of the best of several K-means++ starts (Arthur and Vassilvitskii 2007), by squared error.

    Starts are compared after a third of the iterations; the best one gets the rest. A field with fewer
    colours than `clusters` has each of them as a centre.
    """
    colours, weights = histogram.means, histogram.counts
    if len(colours) <= clusters:
        return colours
    tried = []
    for start in range(starts):
        generator = np.random.default_rng([seed, start])
        centres = spread_centres(colours, weights, clusters=clusters, generator=generator)
        tried.append(improved(colours, weights, centres, iterations=-(-iterations // 3)))
    best = min(tried, key=lambda centres: squared_error(colours, weights, centres))
    return improved(colours, weights, best, iterations=iterations - -(-iterations // 3))


def refined_clusters(
    finest: ColourHistogram, *, bits: int, cluster_bits: int, refinements: int, clusters: int,
    iterations: int, starts: int, seed: int,
) -> Centres:  # fmt: skip
    """Centres by K-means on the histogram in `cluster_bits`, then `refinements` iterations on the finest."""
    coarse, _ = coarser(finest, bits=bits, to_bits=cluster_bits)
    centres = cluster_colours(coarse, clusters=clusters, iterations=iterations, starts=starts, seed=seed)
    return improved(finest.means, finest.counts, centres, iterations=refinements)


def spread_centres(
    colours: Colours, weights: Weights, *, clusters: int, generator: np.random.Generator
) -> Centres:
    """Draw centres one by one, each colour by its weight times its squared distance to those drawn."""
    masses = weights.astype(np.float64)
    nearest, drawn = np.ones(len(colours)), []
    for _ in range(clusters):
        share = np.cumsum(nearest * masses)
        place = int(np.searchsorted(share, generator.random() * share[-1], side="right"))
        drawn.append(min(place, len(colours) - 1))
        distance = squared_distances(colours, colours[drawn[-1:]])[0]
        nearest = distance if len(drawn) == 1 else np.minimum(nearest, distance)
    return colours[drawn]


def improved(colours: Colours, weights: Weights, centres: Centres, *, iterations: int) -> Centres:
    """Lloyd's iterations: assign each colour to its nearest centre, move centres to their means."""
    masses = weights.astype(np.float64)
    weighted = colours.T * masses
    for _ in range(iterations):
        moved = _means(weighted, masses, nearest_centre(colours, centres), centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres


def _means(
    weighted: Float64[np.ndarray, "3 colours"],
    masses: Float64[np.ndarray, " colours"],
    labels: Int64[np.ndarray, " colours"],
    centres: Centres,
) -> Centres:
    """Weighted means; a cluster that has lost all colours stays where it was."""
    mass = np.bincount(labels, masses, len(centres))
    sums = np.stack([np.bincount(labels, axis, len(centres)) for axis in weighted], axis=1)
    return np.where(mass[:, None] > 0, sums / np.maximum(mass, 1)[:, None], centres)


def merge_centres(
    centres: Centres, masses: Int64[np.ndarray, " clusters"], *, clusters: int
) -> tuple[Float64[np.ndarray, "merged 3"], Int64[np.ndarray, " clusters"]]:
    """Merge clusters two by two down to `clusters`: the new centres, and which one each old one is in.

    The paper does not say how it merges 20 into 10. This is Ward's rule (1963): the pair that raises the
    squared error least, m1 m2 / (m1 + m2) |c1 - c2|^2.
    """
    groups = [[index] for index in range(len(centres))]
    means, sizes = [*centres], [float(mass) for mass in masses]
    while len(means) > clusters:
        first, second = _cheapest(np.stack(means), np.array(sizes))
        total = max(sizes[first] + sizes[second], 1.0)
        means[first] = (sizes[first] * means[first] + sizes[second] * means[second]) / total
        sizes[first] += sizes[second]
        groups[first] += groups[second]
        del means[second], sizes[second], groups[second]
    member = np.empty(len(centres), np.int64)
    for number, group in enumerate(groups):
        member[group] = number
    return np.stack(means), member


def _cheapest(means: Centres, sizes: Float64[np.ndarray, " clusters"]) -> tuple[int, int]:
    """The pair whose merging costs least; the first such pair where several do."""
    both = np.maximum(sizes[:, None] + sizes, 1.0)
    cost = squared_distances(means, means) * (sizes[:, None] * sizes / both)
    cost[np.tril_indices(len(means))] = np.inf
    first, second = divmod(int(cost.argmin()), len(means))
    return first, second


def nearest_centre(colours: Colours, centres: Centres) -> Int64[np.ndarray, " colours"]:
    """Index of each colour's nearest centre, of at most 255; ties are broken by rounding, always alike."""
    nearest, least = np.zeros(len(colours), np.uint8), np.full(len(colours), np.inf, np.float32)
    red, green, blue = np.ascontiguousarray(colours.T, np.float32)
    cost, part = np.empty_like(least), np.empty_like(least)  # made once
    for number, (r, g, b) in enumerate(centres.tolist()):
        # half the squared distance, without the colour's own square: that is the same for all centres
        np.multiply(red, -r, out=cost)
        cost -= np.multiply(green, g, out=part)
        cost -= np.multiply(blue, b, out=part)
        cost += (r * r + g * g + b * b) / 2
        np.copyto(nearest, number, where=cost < least)
        np.minimum(least, cost, out=least)
    return nearest.astype(np.int64)


def squared_error(colours: Colours, weights: Weights, centres: Centres) -> float:
    """Within-cluster squared error: what K-means makes small."""
    return float((squared_distances(colours, centres).min(axis=0) * weights).sum())


def squared_distances(colours: Colours, centres: Centres) -> Float64[np.ndarray, "clusters colours"]:
    """Squared Euclidean distance of each colour to each centre."""
    distances = np.zeros((len(centres), len(colours)))
    for axis in range(3):
        distances += (centres[:, axis, None] - colours[:, axis]) ** 2
    return distances
