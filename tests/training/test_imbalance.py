import numpy as np
import pytest
import torch

from mk11.errors import UserError
from mk11.training.imbalance import BalancedSampler, ClassWeights, Imbalance, inverse_frequency

COUNTS = np.array([6, 3, 1])


def test_none_weighs_every_image_alike():
    criterion = Imbalance().criterion(COUNTS, label_smoothing=0.1)
    assert criterion.weight is None
    assert criterion.label_smoothing == 0.1
    assert Imbalance().sample_weights(np.array([0, 1])) is None


def test_class_weights_by_hand():
    weight = ClassWeights(power=1.0).criterion(COUNTS, label_smoothing=0.0).weight
    # 1/6, 1/3, 1/1, scaled so that 6 a + 3 b + 1 c = 10: the unscaled sum is 3
    torch.testing.assert_close(weight, torch.tensor([10 / 18, 10 / 9, 10 / 3]))
    assert float((weight * torch.from_numpy(COUNTS)).sum()) == pytest.approx(10)


def test_the_weighted_loss_does_not_depend_on_how_a_batch_is_shared_or_encoded():
    criterion = ClassWeights(power=1.0).criterion(COUNTS, label_smoothing=0.1)
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(8, 3, generator=generator), torch.tensor([0, 0, 0, 1, 1, 2, 0, 2])
    whole = criterion(logits, labels)
    halves = (criterion(logits[:4], labels[:4]) + criterion(logits[4:], labels[4:])) / 2
    torch.testing.assert_close(whole, halves)
    torch.testing.assert_close(whole, criterion(logits, torch.eye(3)[labels]))


def test_power_nought_is_no_weighting():
    weight = ClassWeights(power=0.0).criterion(COUNTS, label_smoothing=0.0).weight
    torch.testing.assert_close(weight, torch.ones(3))


def test_the_balanced_sampler_gives_each_class_the_same_total():
    labels = np.repeat([0, 1, 2], COUNTS)
    weights = BalancedSampler(power=1.0).sample_weights(labels)
    assert [weights[labels == label].sum() for label in range(3)] == pytest.approx([1, 1, 1])


def test_a_class_without_images_weighs_nothing_rather_than_infinity():
    assert inverse_frequency(np.array([4, 0]), 1.0).tolist() == [0.25, 0.0]


@pytest.mark.parametrize("method", [ClassWeights, BalancedSampler])
def test_an_absurd_power_is_refused(method):
    with pytest.raises(UserError, match=r"imbalance\.power must be in \[0, 2\], but is -1"):
        method(power=-1)
