"""Deal images into parts of given shares: stratified by subtype, never tearing a group apart.

Images that share a group (patient, slide) or a content hash form a *unit*, which goes to one part as a
whole. With `n[u, c]` images of class c in unit u, `N[c]` in all, and `m[p, c]` already in part p of share
`s[p]`, a unit goes to the part where it adds least to

    sum over p, c of m[p, c]^2 / (s[p] N[c]^2),

which is smallest when every part holds its share of every class. Dividing by `N[c]^2` makes a class of 50
images weigh as much as one of 2,000. Large units come first; several seeded orders are tried, the best kept.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

STEPS = 50_000  # work spent on one dealing, in units dealt: a quarter of a second
MAX_ROUNDS = 200


def canonical(images: pd.DataFrame) -> pd.DataFrame:
    """Images in the order that dealing sees them: by contents, as file names must not matter."""
    return images.sort_values(["content_hash", "subtype", "group"])


def unit_counts(
    images: pd.DataFrame,
) -> tuple[Float[np.ndarray, "units classes"], Int[np.ndarray, " images"]]:
    """Class counts of each unit, and each image's unit, numbered in order of first appearance."""
    units = units_of(images["group"].to_numpy(dtype=str), images["content_hash"].to_numpy(dtype=str))
    units = pd.factorize(units)[0]
    labels = np.unique(images["subtype"].to_numpy(dtype=str), return_inverse=True)[1]
    return count_classes(units, labels), units


def units_of(
    groups: Shaped[np.ndarray, " images"], hashes: Shaped[np.ndarray, " images"]
) -> Int[np.ndarray, " images"]:
    """Number of each image's unit: equal hashes join, and equal groups, except "" = unknown."""
    images = len(hashes)
    _, group = np.unique(groups, return_inverse=True)
    _, content = np.unique(hashes, return_inverse=True)
    known = np.flatnonzero(groups != "")
    # A graph of images, contents and groups; an image is tied to its content and, if known, to its group.
    left = np.concatenate([np.arange(images), known])
    right = np.concatenate([images + content, 2 * images + group[known]])
    edges = coo_matrix((np.ones(len(left)), (left, right)), shape=(3 * images, 3 * images))
    _, component = connected_components(edges, directed=False)
    return np.unique(component[:images], return_inverse=True)[1]


def count_classes(
    units: Int[np.ndarray, " images"], labels: Int[np.ndarray, " images"]
) -> Float[np.ndarray, "units classes"]:
    """Images of each class in each unit."""
    counts = np.zeros((units.max() + 1, labels.max() + 1))
    np.add.at(counts, (units, labels), 1)
    return counts


def sole_owners(counts: Float[np.ndarray, "units classes"]) -> Int[np.ndarray, " owners"]:
    """Units that alone hold a whole class: whatever part they go to, the others go without that class."""
    lonely = np.flatnonzero((counts > 0).sum(0) == 1)
    return np.unique(counts[:, lonely].argmax(0))


def deal(
    counts: Float[np.ndarray, "units classes"], shares: Float[np.ndarray, " parts"], *, seed: tuple[int, ...]
) -> Int[np.ndarray, " units"]:
    """Part of each unit: the best of several greedy rounds; fewer where many small units balance anyway.

    Best is, in this order: fewest empty parts, fewest classes that lie wholly in one part, shares met most
    closely.
    """
    number = min(max(STEPS // len(counts), 1), MAX_ROUNDS)
    rounds = (_deal_once(counts, shares, np.random.default_rng((*seed, trial))) for trial in range(number))
    return min(rounds, key=lambda part: _faults(counts, part, shares))


def share_of(
    counts: Float[np.ndarray, "units classes"], fraction: float, *, seed: tuple[int, ...]
) -> Int[np.ndarray, " part"]:
    """Units that make up about `fraction` of each class, without those that alone hold a class."""
    candidates = np.delete(np.arange(len(counts)), sole_owners(counts))
    if not len(candidates):
        return candidates
    part = deal(counts[candidates], np.array([1 - fraction, fraction]), seed=seed)
    return candidates[part == 1]


def _deal_once(
    counts: Float[np.ndarray, "units classes"],
    shares: Float[np.ndarray, " parts"],
    generator: np.random.Generator,
) -> Int[np.ndarray, " units"]:
    weights = counts / np.maximum(counts.sum(0), 1) ** 2
    held = np.zeros((len(shares), counts.shape[1]))
    part = np.zeros(len(counts), dtype=np.int64)
    size = counts.sum(1) * generator.uniform(0.7, 1.3, len(counts))
    ties = generator.random((len(counts), len(shares))) * 1e-9
    for unit in np.argsort(-size, kind="stable"):
        added = (2 * held + counts[unit]) @ weights[unit] / shares
        part[unit] = np.argmin(added + ties[unit])
        held[part[unit]] += counts[unit]
    return part


def _faults(
    counts: Float[np.ndarray, "units classes"],
    part: Int[np.ndarray, " units"],
    shares: Float[np.ndarray, " parts"],
) -> tuple[int, int, float]:
    held = np.stack([counts[part == number].sum(0) for number in range(len(shares))])
    totals = np.maximum(counts.sum(0), 1)
    empty = int((held.sum(1) == 0).sum())
    torn_off = int(((held == totals) & (counts.sum(0) > 0)).sum())
    return empty, torn_off, float(((held / totals - shares[:, None]) ** 2 / shares[:, None]).sum())
