"""Pictures of the same cell: re-encoded, slightly recoloured or shifted copies, found by perceptual hashes.

The hash is ImageHash's `phash` with 12 x 12 signs of the lowest frequencies of the grey picture: 144 bits. Of
the sizes 8, 9, 10, 11, 12, 14 and 16 this one parts copies from other cells best for crops of 40 to 250 px.
Share of copies found (1 px and 2 px: the crop shifted to the right), and pairs of different cells taken for
one, at a radius of 20 (of 24):

| cells | JPEG 85 | colours +-5 % | 1 px | 1 px both ways | 2 px | false pairs |
|---|---|---|---|---|---|---|
| 10,533 red | 1.00 (1.00) | 1.00 (1.00) | 0.99 (1.00) | 0.83 (0.96) | 0.34 (0.73) | 18 (80) of 52 M |
| 1,348 drawn | 1.00 (1.00) | 1.00 (1.00) | 0.85 (0.94) | 0.48 (0.65) | 0.31 (0.42) | 1 (4) of 0.9 M |
| 372 white | 1.00 (1.00) | 1.00 (1.00) | 1.00 (1.00) | 1.00 (1.00) | 0.99 (1.00) | 0 (0) of 0.07 M |

Among the white cells it found three pairs of photographs of one cell, which nobody had marked; two more are
26 and 28 apart. Most of the false pairs are lone round discs in the middle of the crop. False pairs grow with
the square of the number of images: with 100,000 crops choose 20 or less.
"""

from collections.abc import Sequence

import imagehash
import numpy as np
from jaxtyping import Bool, Int, UInt8, UInt64
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIDE = 12  # signs a side
BITS = SIDE * SIDE
WORDS = 3  # of 64 bits, the last one filled up with zeros
ROWS, COLUMNS = 16, 4096  # hashes compared at a time: half a megabyte; 30,000 take 1.5 s of one core


def perceptual_hash(image: UInt8[np.ndarray, "height width 3"]) -> str:
    """36 hex digits, one bit for the sign of each of 12 x 12 low frequencies against their median.

    It sees shape, not colour, and no size: crops of the same cell with other margins differ.
    """
    found = imagehash.phash(Image.fromarray(image), hash_size=SIDE)
    return np.packbits(found.hash).tobytes().hex()


def groups(hashes: Sequence[str], *, radius: int) -> Int[np.ndarray, " images"]:
    """Number of each image's group, from 0 in the order in which groups are first met.

    Images are of one group where a chain of them, each at most `radius` bits from the next, joins them
    (single linkage), so that groups do not depend on the order of images. All pairs are compared.

    Args:
        hashes: Of `perceptual_hash`.
        radius: Most bits in which two neighbours differ; 0: equal hashes only.
    """
    words = _words(hashes)
    distinct, place = np.unique(words, axis=0, return_inverse=True)
    pairs = _pairs(distinct, radius)
    edges = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(len(distinct),) * 2)
    joined = connected_components(edges, directed=False)[1][place.ravel()]
    _, first, number = np.unique(joined, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number].astype(np.int64)


def representatives(group: Int[np.ndarray, " images"], names: Sequence[str]) -> Bool[np.ndarray, " images"]:
    """True for one image of each group: the one whose name (content hash) comes first in the alphabet."""
    order = np.lexsort((np.asarray(names), group))
    chosen = np.zeros(len(group), bool)
    chosen[order[np.unique(group[order], return_index=True)[1]]] = True
    return chosen


def near_any(some: Sequence[str], others: Sequence[str], *, radius: int) -> Bool[np.ndarray, " some"]:
    """True for each hash that is at most `radius` bits from one of `others` itself, without a chain."""
    words, known = _words(some), _words(others)
    found = np.zeros(len(words), bool)
    for row in range(0, len(words), ROWS):
        for column in range(0, len(known), COLUMNS):
            near = _near(words[row : row + ROWS], known[column : column + COLUMNS], radius)
            found[row + near[:, 0]] = True
    return found


def _words(hashes: Sequence[str]) -> UInt64[np.ndarray, "images words"]:
    filled = b"".join(bytes.fromhex(one).ljust(WORDS * 8, b"\0") for one in hashes)
    return np.frombuffer(filled, np.uint64).reshape(len(hashes), WORDS)


def _pairs(words: UInt64[np.ndarray, "images words"], radius: int) -> Int[np.ndarray, "pairs 2"]:
    """Rows (first < second) at most `radius` bits apart, compared block by block."""
    found = [np.empty((0, 2), np.int64)]
    for row in range(0, len(words), ROWS):
        for column in range(row, len(words), COLUMNS):
            near = _near(words[row : row + ROWS], words[column : column + COLUMNS], radius)
            near += (row, column)
            found.append(near[near[:, 0] < near[:, 1]])
    return np.concatenate(found)


def _near(
    some: UInt64[np.ndarray, "rows words"], others: UInt64[np.ndarray, "columns words"], radius: int
) -> Int[np.ndarray, "pairs 2"]:
    """Where both blocks agree: the first word rules most pairs out, only what is left is compared whole."""
    first = np.bitwise_count(some[:, None, 0] ^ others[None, :, 0])  # (rows, columns)
    left = np.argwhere(first <= radius)
    apart = np.bitwise_count(some[left[:, 0]] ^ others[left[:, 1]]).sum(axis=1, dtype=np.int64)
    return left[apart <= radius]
