"""Batch norm over several processes: what one process can show of it; test_mocov3_processes.py has two."""

import copy

import pytest
import timm
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from mk11.ssl import batchnorm
from mk11.ssl.batchnorm import SummedBatchNorm, global_statistics, synchronised


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 5), nn.BatchNorm1d(5)
    )


def test_every_batch_norm_is_exchanged_and_keeps_its_parameters_and_buffers():
    plain = network()
    before = {**dict(plain.named_parameters()), **dict(plain.named_buffers())}
    made = synchronised(plain, on_gpu=False)
    assert sum(isinstance(module, SummedBatchNorm) for module in made.modules()) == 2
    after = {**dict(made.named_parameters()), **dict(made.named_buffers())}
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)


def test_a_batch_norm_without_gain_stays_without():
    made = synchronised(nn.BatchNorm1d(3, affine=False), on_gpu=False)
    assert made.weight is None
    assert not made.affine


def test_a_network_of_gpus_gets_the_layers_of_torch():
    made = synchronised(network(), on_gpu=True)
    assert sum(type(module) is nn.SyncBatchNorm for module in made.modules()) == 2


@pytest.mark.parametrize("training", [True, False])
def test_one_process_computes_what_it_did(training):
    plain = network().train(training)
    made = synchronised(copy.deepcopy(plain), on_gpu=False)
    images = torch.randn(6, 3, 4, 4)
    assert torch.equal(made(images), plain(images))
    assert all(map(torch.equal, made.buffers(), plain.buffers()))
    assert all(module.training is training for module in made.modules())


class Doubled(nn.Module):
    """Stands for a dropout whose effect can be told."""

    def forward(self, x):
        return 2 * x


@pytest.mark.parametrize("on_gpu", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_the_activation_and_dropout_inside_timms_batch_norms_stay(on_gpu, training):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), BatchNormAct2d(4, drop_layer=Doubled)).train(training)
    made = synchronised(copy.deepcopy(plain), on_gpu=on_gpu)
    images = torch.randn(6, 3, 4, 4)
    assert type(made[1]) is not BatchNormAct2d
    assert torch.equal(made(images), plain(images))
    assert (made(images) >= 0).all()
    assert made.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize("on_gpu", [True, False])
def test_a_resnet_with_activations_in_its_norms_computes_what_it_did(on_gpu):
    torch.manual_seed(0)
    plain = timm.create_model("skresnet18", num_classes=0, layers=(1, 1, 1, 1))
    made = synchronised(copy.deepcopy(plain), on_gpu=on_gpu)
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(made(images), plain(images))


@pytest.fixture
def two_equal_processes(monkeypatch):
    """As if a second process had the same batch: each sum doubles."""
    monkeypatch.setattr(batchnorm.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(batchnorm.dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(batchnorm.dist, "all_reduce", lambda total: total.mul_(2))


def test_statistics_of_far_numbers_are_not_lost_in_rounding(two_equal_processes):
    """The mean of squares less the square of the mean would give a variance of 0."""
    mean, variance, count = global_statistics(torch.tensor([[9999.0], [10001.0]]))
    assert (mean.item(), variance.item(), count) == (10_000, 1, 4)


def test_two_processes_with_one_batch_are_as_one_with_the_batch_twice(two_equal_processes):
    plain, made = nn.BatchNorm2d(4), synchronised(nn.BatchNorm2d(4), on_gpu=False)
    images = torch.randn(3, 4, 2, 5)
    expected = plain(torch.cat([images, images]))[:3]
    assert torch.allclose(made(images), expected, atol=1e-6)
    for ours, theirs in zip(made.buffers(), plain.buffers(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_two_processes_apply_the_activation_too(two_equal_processes):
    made = synchronised(BatchNormAct2d(4, drop_layer=Doubled), on_gpu=False)
    images = torch.randn(3, 4, 2, 5)
    expected = 2 * nn.BatchNorm2d(4)(torch.cat([images, images]))[:3].relu()
    assert torch.allclose(made(images), expected, atol=1e-6)


def test_half_precision_is_normalised_in_full_precision(two_equal_processes):
    made = synchronised(nn.BatchNorm1d(4), on_gpu=False)
    values = (100 + torch.randn(256, 4)).bfloat16()
    normalised = made(values)
    assert normalised.dtype == torch.bfloat16
    assert torch.allclose(normalised.float(), nn.BatchNorm1d(4)(values.float()), atol=0.02)
