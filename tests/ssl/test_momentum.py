"""The momentum encoder follows in its parameters alone, ever more slowly."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mk11.ssl.momentum import cosine_momentum, follow, momentum_copy


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def test_a_copy_is_equal_of_its_own_and_out_of_training():
    fast = network(0)
    slow = momentum_copy(fast)
    for ours, theirs in zip(slow.parameters(), fast.parameters(), strict=True):
        assert torch.equal(ours, theirs)
        assert ours is not theirs
        assert not ours.requires_grad
        assert theirs.requires_grad


@given(momentum=st.floats(0, 1))
def test_each_parameter_is_the_weighted_mean_of_both(momentum):
    slow, fast = network(1), network(2)
    before = [parameter.detach().clone() for parameter in slow.parameters()]
    follow(slow, fast, momentum=momentum)
    for old, new, target in zip(before, slow.parameters(), fast.parameters(), strict=True):
        assert torch.allclose(new, momentum * old + (1 - momentum) * target, atol=1e-6)


def test_frozen_parameters_follow_too():
    slow, fast = momentum_copy(network(1)), network(2).requires_grad_(False)
    follow(slow, fast, momentum=0.0)
    assert all(map(torch.equal, slow.parameters(), fast.parameters()))


def test_running_statistics_stay_each_networks_own():
    slow, fast = network(1), network(2)
    fast(torch.randn(8, 3))
    follow(slow, fast, momentum=0.0)
    assert torch.equal(slow[1].running_mean, torch.zeros(4))
    assert slow[1].num_batches_tracked == 0


def test_following_leaves_no_trace_for_gradients():
    slow, fast = momentum_copy(network(1)), network(2)
    follow(slow, fast, momentum=0.5)
    assert all(parameter.grad_fn is None for parameter in slow.parameters())


@pytest.mark.parametrize(("progress", "momentum"), [(0.0, 0.9), (1 / 3, 0.925), (0.5, 0.95), (1.0, 1.0)])
def test_the_schedule_passes_through_points_worked_by_hand(progress, momentum):
    assert math.isclose(cosine_momentum(progress, start=0.9), momentum)


@given(start=st.floats(0, 1), one=st.floats(0, 1), other=st.floats(0, 1))
def test_momentum_only_rises_from_its_start_to_one(start, one, other):
    early, late = sorted((one, other))
    values = [cosine_momentum(progress, start=start) for progress in (0, early, late, 1)]
    assert values[0] == pytest.approx(start)
    assert values[-1] == 1
    assert all(before <= after + 1e-12 for before, after in pairwise(values))
