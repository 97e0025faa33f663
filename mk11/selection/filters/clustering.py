"""Clusters of colours: K-means weighted by how often a colour occurs (MacQueen 1967), then Ward's merging.

No product of matrices here: BLAS adds in an order that depends on its threads, these sums do not. So a field
and a seed give the same clusters to the bit.
"""

import numpy as np
from jaxtyping import Float64, Int64

from mk11.selection.filters.histogram import ColourHistogram, coarser

Centres = Float64[np.ndarray, "clusters 3"]
Colours = Float64[np.ndarray, "colours 3"]

FARTHEST = 3 * 255.0**2  # squared distance of black and white


def refined_clusters(
    finest: ColourHistogram, *, cluster_bits: int, start_bits: int, clusters: int, starts: int, trials: int,
    iterations: int, refinements: int, stride: float, seed: int,
) -> Centres:  # fmt: skip
    """Centres by K-means from coarse to fine: fewer bits are fewer colours.

    Starts are compared in `start_bits` after a fifth of the iterations, the best one gets the rest in
    `cluster_bits`, and `refinements` more on the finest.
    """
    medium = coarser(finest, bits=cluster_bits)
    coarse = coarser(medium, bits=start_bits)
    first = -(-iterations // 5)
    centres = best_start(
        coarse, clusters=clusters, starts=starts, trials=trials, iterations=first, stride=stride, seed=seed
    )
    centres = improved(medium, centres, iterations=iterations - first, stride=stride)
    return improved(finest, centres, iterations=refinements, stride=stride)


def best_start(
    histogram: ColourHistogram, *, clusters: int, starts: int, trials: int, iterations: int, stride: float,
    seed: int,
) -> Centres:  # fmt: skip
    """Centres with the smallest squared error among several starts, each improved a little.

    A field with fewer colours than `clusters` has each of them as a centre.
    """
    if len(histogram.codes) <= clusters:
        return histogram.means
    tried = []
    for start in range(starts):
        generator = np.random.default_rng([seed, start])
        centres = spread_centres(histogram, clusters=clusters, trials=trials, generator=generator)
        tried.append(improved(histogram, centres, iterations=iterations, stride=stride))
    return min(tried, key=lambda centres: squared_error(histogram, centres))


def spread_centres(
    histogram: ColourHistogram, *, clusters: int, trials: int, generator: np.random.Generator
) -> Centres:
    """Draw centres one by one: K-means++, greedy (Arthur and Vassilvitskii 2007, sec. 7), as OpenCV does it.

    Colours are drawn by their weight times the squared distance to the centres so far; of `trials` such
    colours the one that leaves the smallest squared error is the next centre.
    """
    colours, masses = histogram.means, histogram.counts.astype(np.float64)
    nearest, drawn = np.full(len(colours), FARTHEST), []
    for _ in range(clusters):
        share = np.cumsum(nearest * masses)
        places = np.searchsorted(share, generator.random(trials) * share[-1], side="right")
        places = np.minimum(places, len(colours) - 1)
        left = np.minimum(nearest, squared_distances(colours, colours[places]))
        best = int((left * masses).sum(axis=1).argmin())
        nearest = left[best]
        drawn.append(places[best])
    return colours[drawn]


def improved(histogram: ColourHistogram, centres: Centres, *, iterations: int, stride: float) -> Centres:
    """Lloyd's iterations in long strides (Lee, Baek and Sung 1997).

    Each colour goes to its nearest centre, and each centre goes `stride` times as far as to the mean of its
    colours. A stride of 1 is Lloyd's own; any below 2 ends nearer to the mean than it began, so that the
    squared error never rises, and 1.8 needs about half as many iterations.
    """
    masses = histogram.counts.astype(np.float64)
    weighted = histogram.means.T * masses
    for _ in range(iterations):
        means = _means(weighted, masses, nearest_centre(histogram.means, centres), centres)
        centres = np.clip(centres + stride * (means - centres), 0, 255)
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
        # the latest nearer centre has the largest number; np.copyto(where=) takes several times as long
        np.maximum(nearest, np.uint8(number) * (cost < least), out=nearest)
        np.minimum(least, cost, out=least)
    return nearest.astype(np.int64)


def squared_error(histogram: ColourHistogram, centres: Centres) -> float:
    """Within-cluster squared error: what K-means makes small."""
    own = centres.T[:, nearest_centre(histogram.means, centres)]
    return float((((histogram.means.T - own) ** 2).sum(axis=0) * histogram.counts).sum())


def squared_distances(colours: Colours, centres: Centres) -> Float64[np.ndarray, "clusters colours"]:
    """Squared Euclidean distance of each colour to each centre."""
    return ((centres.T[..., None] - colours.T[:, None]) ** 2).sum(axis=0)
