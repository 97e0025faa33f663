import io
import itertools
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import LambdaLR

from mk11.optim.schedule import scaled_lr, warmup_cosine

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "mae.npz"


def test_published_batch_and_base_rate_give_the_published_rate():
    assert scaled_lr(base_lr=1e-3, batch_size=64) == pytest.approx(2.5e-4)


def test_the_first_step_has_rate_zero_and_the_last_warm_up_step_the_peak():
    curve = partial(warmup_cosine, warmup_steps=5, total_steps=50, min_ratio=0.01)
    assert [curve(step) for step in range(6)] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])


def test_without_warm_up_the_first_step_has_the_peak():
    assert warmup_cosine(0, warmup_steps=0, total_steps=10, min_ratio=0.0) == 1.0


@given(warmup=st.integers(0, 50), rest=st.integers(1, 200), floor=st.floats(0, 1))
def test_the_factor_falls_from_the_peak_to_the_floor_and_stays(warmup, rest, floor):
    total = warmup + rest
    factors = [
        warmup_cosine(step, warmup_steps=warmup, total_steps=total, min_ratio=floor)
        for step in range(warmup, total + 3)
    ]
    assert factors[0] == pytest.approx(1.0)
    assert factors[rest:] == pytest.approx([floor] * 3)
    assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(factors))


def test_the_floor_of_a_layer_is_scaled_like_its_rate():
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (1.0, 0.5)]
    optimiser = torch.optim.AdamW(groups)
    schedule = LambdaLR(optimiser, partial(warmup_cosine, warmup_steps=1, total_steps=3, min_ratio=0.1))
    for _ in range(3):
        optimiser.step()
        schedule.step()
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([0.1, 0.05])


def test_the_schedule_survives_a_checkpoint_read_without_pickle():
    curve = partial(warmup_cosine, warmup_steps=2, total_steps=9, min_ratio=0.0)
    optimiser = torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    buffer = io.BytesIO()
    torch.save(LambdaLR(optimiser, curve).state_dict(), buffer)
    buffer.seek(0)
    LambdaLR(optimiser, curve).load_state_dict(torch.load(buffer, weights_only=True))


@pytest.mark.shared
def test_the_fine_tuning_curve_equals_the_published_code():
    if not GOLDEN.exists():
        pytest.skip("needs golden/mae.npz beside the repository")
    golden = np.load(GOLDEN)
    published = json.loads(golden["meta"].tobytes())["config"]["sched_ft"]
    epochs, rates = golden["sched_ft_epoch"], golden["sched_ft_lr"]
    steps_per_epoch = 1000
    steps = epochs * steps_per_epoch
    assert np.allclose(steps, steps.round()), "the sampled epochs must fall on whole steps"
    curve = partial(
        warmup_cosine,
        warmup_steps=published["warmup_epochs"] * steps_per_epoch,
        total_steps=published["epochs"] * steps_per_epoch,
        min_ratio=published["min_lr"] / published["lr"],
    )
    ours = [published["lr"] * published["lr_scale"] * curve(round(step)) for step in steps]
    assert ours == pytest.approx(rates, abs=1e-10, rel=0)
    assert ours[0] == 0.0
