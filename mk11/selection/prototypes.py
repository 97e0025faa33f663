"""Prototypes: what the labelled crops of a fold's training split look like in an encoder's features.

ActiveSSF (sec. 3) takes the centres of K-means with as many clusters as there are classes. Clusters are not
classes: a small one may be a rare subtype, or a stain artefact; `Prototypes.purity` tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from mk11.data.settings import Given, check_choice, check_whole
from mk11.errors import UserError

METHODS = ("kmeans", "per_class", "per_class_kmeans")
ROWS = 4096  # features whose distances are computed at a time, in double precision

Features = Float[np.ndarray, "images dim"]


@dataclass(frozen=True)
class Prototypes:
    """Centres of groups of labelled crops. "Nearest" is by Euclidean distance in features."""

    centres: Float[np.ndarray, "prototypes dim"]
    sizes: Int[np.ndarray, " prototypes"]  # labelled crops of the group
    least: Float[np.ndarray, " prototypes"]  # smallest distance of a member to its centre
    most: Float[np.ndarray, " prototypes"]  # largest one
    subtypes: tuple[str, ...]  # the majority of the labelled crops that are nearest to it; "" if none is
    purity: Float[np.ndarray, " prototypes"]  # share of that majority; NaN if none is nearest
    members: Int[np.ndarray, " images"]  # the group of each labelled crop
    nearest: Int[np.ndarray, " images"]  # its nearest prototype; of K-means that is its group


class PrototypeRule:
    """How prototypes are made; every argument is a key of conf/selection/base/prototypes.yaml.

    Raises:
        UserError: a value that its key cannot hold; instantiate() wraps it.
    """

    def __init__(self, *, method: Given, clusters: Given, per_class: Given, starts: Given) -> None:
        check_choice("selection.prototypes.method", method, METHODS)
        if clusters is not None:
            check_whole("selection.prototypes.clusters", clusters, least=1)
        check_whole("selection.prototypes.per_class", per_class, least=1)
        check_whole("selection.prototypes.starts", starts, least=1)
        self.method, self.clusters, self.per_class, self.starts = method, clusters, per_class, starts

    def fit(
        self, features: Features, labels: Int[np.ndarray, " images"], classes: Sequence[str], *, seed: int
    ) -> Prototypes:
        """Prototypes of labelled crops; a class without any has no prototype of its own.

        Raises:
            UserError: more clusters than different crops.
        """
        features = features.astype(np.float64)
        if self.method == "kmeans":
            members = self._clusters(features, self.clusters or len(classes), seed)
        else:
            most = 1 if self.method == "per_class" else self.per_class
            members = self._within_classes(features, labels, most, seed)
        return described(features, labels, classes, members)

    def _clusters(self, features: Features, count: int, seed: int) -> Int[np.ndarray, " images"]:
        different = count_different(features)
        if count > different:
            raise UserError(
                f"selection.prototypes.clusters must be at most {different}, the number of different labelled"
                f" crops, but is {count}"
            )
        found = KMeans(count, n_init=self.starts, random_state=seed).fit(features)
        return np.unique(found.labels_, return_inverse=True)[1].astype(np.int64)

    def _within_classes(
        self, features: Features, labels: Int[np.ndarray, " images"], most: int, seed: int
    ) -> Int[np.ndarray, " images"]:
        """Clusters of each class alone, at most as many as it has different crops."""
        members, total = np.zeros(len(labels), np.int64), 0
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            count = min(most, count_different(features[rows]))
            members[rows] = total + self._clusters(features[rows], count, seed)
            total = int(members[rows].max()) + 1
        return members


def described(
    features: Features,
    labels: Int[np.ndarray, " images"],
    classes: Sequence[str],
    members: Int[np.ndarray, " images"],
) -> Prototypes:
    """Means of groups of labelled crops, with their extent and what they hold.

    Args:
        features: Of labelled crops.
        labels: Positions in `classes`.
        classes: Their names.
        members: Group of each crop; groups are numbered from 0, none is empty.
    """
    sizes = np.bincount(members)
    centres = np.stack([features[members == group].mean(axis=0) for group in range(len(sizes))])
    apart = distances(features, centres)  # (images, prototypes)
    own, nearest = apart[np.arange(len(members)), members], apart.argmin(axis=1)
    counts = np.zeros((len(sizes), len(classes)), np.int64)
    np.add.at(counts, (nearest, labels), 1)
    held = counts.sum(axis=1)
    return Prototypes(
        centres=centres,
        sizes=sizes,
        least=np.array([own[members == group].min() for group in range(len(sizes))]),
        most=np.array([own[members == group].max() for group in range(len(sizes))]),
        subtypes=tuple(classes[int(row.argmax())] if row.any() else "" for row in counts),
        purity=np.where(held > 0, counts.max(axis=1) / np.maximum(held, 1), np.nan),
        members=members,
        nearest=nearest,
    )


def count_different(features: Features) -> int:
    """How many rows are not equal to an earlier one; np.unique would sort whole rows."""
    return len({row.tobytes() for row in features})


def distances(
    features: Features, centres: Float[np.ndarray, "prototypes dim"]
) -> Float[np.ndarray, "images prototypes"]:
    """Euclidean distances, in double precision from differences: a crop on a centre has exactly 0."""
    blocks = [cdist(features[row : row + ROWS], centres) for row in range(0, len(features), ROWS)]
    return np.concatenate(blocks) if blocks else np.empty((0, len(centres)))
