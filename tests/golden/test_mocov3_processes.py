"""Two processes with half of the batch each learn what one process learns from the whole."""

import pytest
import torch
from golden.mocov3_models import GOLDEN, KINDS, method, two_views
from golden.mocov3_processes import half_of_the_batch, one_step
from torch.multiprocessing import spawn


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("two_processes")
    spawn(half_of_the_batch, args=(str(folder),), nprocs=2)
    return [torch.load(folder / f"rank{rank}.pt") for rank in (0, 1)]


@pytest.fixture(scope="module")
def alone():
    """What one process finds."""
    return {kind: one_step(method(kind), two_views()) for kind in KINDS}


@pytest.mark.parametrize("rank", [0, 1])
def test_each_process_has_the_loss_of_the_reference(ranks, rank):
    assert GOLDEN.check(f"loss_rank{rank}_of_2", ranks[rank]["vit"]["loss"]) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_loss_and_its_chance_level_are_those_of_one_process(ranks, alone, kind):
    losses = [rank[kind]["loss"] for rank in ranks]
    assert (losses[0] - losses[1]).abs() > 0.01  # each has its own queries
    assert torch.allclose(torch.stack(losses).mean(), alone[kind]["loss"], atol=2e-5)
    assert [rank[kind]["chance"] for rank in ranks] == [alone[kind]["chance"]] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradients_are_those_of_one_process_on_both(ranks, alone, kind):
    for name, gradient in alone[kind]["gradients"].items():
        scale = max(gradient.abs().max().item(), 0.01)
        for rank in ranks:
            assert torch.allclose(rank[kind]["gradients"][name], gradient, atol=1e-3 * scale), name


@pytest.mark.parametrize("kind", KINDS)
def test_momentum_encoder_and_running_statistics_are_those_of_one_process(ranks, alone, kind):
    for name, value in alone[kind]["state"].items():
        for rank in ranks:
            assert torch.allclose(rank[kind]["state"][name], value, atol=1e-5), name
