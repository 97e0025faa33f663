"""Normalisation by table is torchvision's."""

import numpy as np
import torch
from torchvision.transforms import functional as vision

from mk11.data.transforms.normalise import Normalise

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def test_every_bit_equals_torchvision():
    image = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    expected = vision.normalize(vision.to_tensor(image), MEAN, STD)
    assert torch.equal(Normalise(mean=MEAN, std=STD)(image), expected)


def test_each_channel_has_its_own_mean_and_spread():
    image = np.tile(np.array([255, 0, 128], np.uint8), (4, 4, 1))
    normalised = Normalise(mean=(1.0, 0.5, 0.0), std=(0.5, 0.25, 1.0))(image)
    assert normalised[:, 0, 0].tolist() == [0.0, -2.0, np.float32(128 / 255)]
