"""Class probabilities of candidates, by a classifier of the labelled crops."""

import numpy as np

from mk11.selection.classifier import class_probabilities
from mk11.selection.strategies.base import Labelled


def labelled(classes=("a", "b", "c")):
    """Two of three classes, apart in both features."""
    generator = np.random.default_rng(0)
    features = generator.normal(0, 0.5, (40, 2)).astype(np.float32)
    labels = np.repeat([0, 2], 20)
    features[labels == 2] += 4
    return Labelled([str(row) for row in range(40)], features, labels, classes)


def test_probabilities_follow_the_labelled_crops():
    found = class_probabilities(labelled(), np.array([[0, 0], [4, 4], [2, 2]], np.float32))
    assert found.argmax(axis=1)[:2].tolist() == [0, 2]
    assert found[0, 0] > found[2, 0] + 0.05 > found[1, 0] + 0.1
    assert abs(found[2, 0] - found[2, 2]) < 0.3


def test_a_class_without_a_crop_has_no_probability():
    found = class_probabilities(labelled(), np.zeros((1, 2), np.float32))
    assert found.shape == (1, 3)
    assert found[0, 1] == 0
    np.testing.assert_allclose(found.sum(), 1)
