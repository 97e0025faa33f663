"""Prototypes by hand, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from mk11.errors import UserError
from mk11.selection.prototypes import PrototypeRule, described, distances

RULE = {"method": "kmeans", "clusters": None, "per_class": 2, "starts": 4}
CLASSES = ["blast", "granular", "naked"]


@pytest.fixture
def blobs():
    """Ten crops of each class about three corners, 4 apart, and a stray of class 0 at the third."""
    generator = np.random.default_rng(0)
    corners = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    features = np.concatenate([corner + generator.normal(0, 0.3, (10, 2)) for corner in corners])
    labels = np.repeat([0, 1, 2], 10)
    return np.concatenate([features, corners[2:]]).astype(np.float32), np.append(labels, 0)


def fitted(blobs, **changes):
    return PrototypeRule(**RULE | changes).fit(*blobs, CLASSES, seed=0)


def test_sizes_extent_majority_and_purity_by_hand():
    features = np.array([[0.0, 0.0], [2.0, 0.0], [10.0, 0.0], [13.0, 4.0], [10.0, 8.0]])
    members, labels = np.array([0, 0, 1, 1, 1]), np.array([2, 0, 1, 1, 0])
    found = described(features, labels, CLASSES, members)
    assert found.centres == pytest.approx(np.array([[1.0, 0.0], [11.0, 4.0]]))
    assert found.sizes.tolist() == [2, 3]
    assert found.least == pytest.approx([1.0, 2.0])
    assert found.most == pytest.approx([1.0, 17**0.5])
    assert found.subtypes == ("blast", "granular")  # of a tie the first class
    assert found.purity == pytest.approx([1 / 2, 2 / 3])


def test_k_means_finds_one_cluster_for_each_class_and_the_stray_lowers_its_purity(blobs):
    found = fitted(blobs)
    assert sorted(found.sizes.tolist()) == [10, 10, 11]
    assert sorted(found.subtypes) == CLASSES
    assert found.purity[found.subtypes.index("naked")] == pytest.approx(10 / 11)
    assert (found.members == found.nearest).all()


def test_k_means_is_scikit_learn_s(blobs):
    theirs = KMeans(5, n_init=4, random_state=0).fit(blobs[0].astype(np.float64))
    found = fitted(blobs, clusters=5)
    assert np.sort(found.centres, axis=0) == pytest.approx(np.sort(theirs.cluster_centers_, axis=0))


def test_per_class_prototypes_are_means_of_the_classes(blobs):
    features, labels = blobs
    found = fitted(blobs, method="per_class")
    expected = [features[labels == label].astype(float).mean(axis=0) for label in range(3)]
    assert found.centres == pytest.approx(np.array(expected))
    assert found.sizes.tolist() == [11, 10, 10]
    assert found.purity == pytest.approx([1.0, 1.0, 10 / 11])  # the stray is nearest to the third


def test_clusters_of_each_class_keep_within_it(blobs):
    labels = blobs[1]
    found = fitted(blobs, method="per_class_kmeans", per_class=2)
    assert len(found.sizes) == 6
    for group in range(6):
        assert len(np.unique(labels[found.members == group])) == 1
    stray = found.members[-1]
    assert found.sizes[stray] == 1  # far from the rest of its class
    assert found.most[stray] == 0


def test_a_class_gets_no_more_clusters_than_it_has_different_crops():
    features, labels = np.array([[0.0], [0.0], [5.0], [6.0], [7.0]]), np.array([0, 0, 1, 1, 1])
    found = PrototypeRule(**RULE | {"method": "per_class_kmeans"}).fit(features, labels, CLASSES, seed=0)
    assert found.sizes.sum() == 5
    assert found.members[:2].tolist() == [0, 0]
    assert len(found.sizes) == 3


def test_more_clusters_than_different_crops_are_refused():
    features, labels = np.array([[0.0], [0.0], [5.0]]), np.array([0, 1, 2])
    with pytest.raises(UserError, match=r"selection\.prototypes\.clusters must be at most 2"):
        PrototypeRule(**RULE).fit(features, labels, CLASSES, seed=0)


@given(st.integers(0, 2**16), st.integers(1, 30), st.integers(1, 5))
def test_distances_are_those_of_a_loop_over_pairs(seed, count, dim):
    generator = np.random.default_rng(seed)
    features, centres = generator.normal(size=(count, dim)), generator.normal(size=(3, dim))
    expected = [[np.linalg.norm(one - centre) for centre in centres] for one in features]
    assert distances(features, centres) == pytest.approx(np.array(expected))


def test_no_features_have_no_distances():
    assert distances(np.empty((0, 2)), np.zeros((3, 2))).shape == (0, 3)


@pytest.mark.parametrize(
    ("key", "value"), [("method", "means"), ("clusters", 0), ("per_class", 1.5), ("starts", None)]
)
def test_a_value_that_its_key_cannot_hold_is_refused(key, value):
    with pytest.raises(UserError, match=rf"selection\.prototypes\.{key} must"):
        PrototypeRule(**RULE | {key: value})
