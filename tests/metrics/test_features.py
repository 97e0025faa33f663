"""Spread and effective rank of feature matrices."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mk11.metrics import features as measured
from mk11.metrics.features import feature_std, rankme


def drawn(images, dim, seed=0):
    return torch.randn(images, dim, generator=torch.Generator().manual_seed(seed))


def slow_rankme(features):
    """The paper's two equations, one singular value at a time."""
    values = np.linalg.svd(features.double().numpy(), compute_uv=False)
    entropy = 0.0
    for value in values:
        share = value / sum(values) + 1e-7
        entropy -= share * math.log(share)
    return math.exp(entropy)


def slow_std(features):
    unit = [row / np.linalg.norm(row) for row in features.double().numpy()]
    channels = list(zip(*unit, strict=True))
    deviations = [
        math.sqrt(sum((v - sum(c) / len(c)) ** 2 for v in c) / len(c)) for c in (list(c) for c in channels)
    ]
    return sum(deviations) / len(deviations) * math.sqrt(len(deviations))


@pytest.mark.parametrize(("images", "dim"), [(40, 12), (7, 20), (16, 16), (1, 5)])
def test_rankme_is_the_papers_equation(images, dim):
    features = drawn(images, dim)
    assert rankme(features).item() == pytest.approx(slow_rankme(features), rel=1e-5)


def test_rankme_does_not_depend_on_how_many_rows_are_taken_at_once(monkeypatch):
    features = drawn(300, 24)
    whole = rankme(features)
    monkeypatch.setattr(measured, "ROWS_AT_ONCE", 7)
    assert rankme(features).item() == pytest.approx(whole.item(), rel=1e-6)


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_rankme_of_equally_strong_directions_counts_them(rank):
    basis = torch.linalg.qr(drawn(64, rank)).Q  # (64, rank), orthonormal
    features = basis @ torch.linalg.qr(drawn(32, rank, seed=1)).Q.T  # (64, 32)
    assert rankme(features).item() == pytest.approx(rank, rel=1e-3)


def test_features_that_are_all_zero_have_no_rank_to_speak_of():
    assert rankme(torch.zeros(20, 8)).item() == pytest.approx(1, rel=1e-3)
    assert feature_std(torch.zeros(20, 8)).item() == 0


@given(st.integers(1, 30), st.integers(2, 30), st.integers(0, 1000))
def test_rankme_lies_between_one_and_the_smaller_side(images, dim, seed):
    found = rankme(drawn(images, dim, seed)).item()
    assert 1 - 1e-6 <= found <= min(images, dim) * (1 + 1e-4)


def test_feature_std_is_that_of_a_loop_over_channels():
    features = drawn(30, 6) + torch.linspace(-1, 1, 6)
    assert feature_std(features).item() == pytest.approx(slow_std(features), rel=1e-5)


def test_feature_std_is_one_for_features_spread_over_the_sphere():
    assert feature_std(drawn(20_000, 32)).item() == pytest.approx(1, abs=0.01)


def test_feature_std_is_zero_for_collapsed_features_of_any_length():
    one = drawn(1, 16)
    lengths = torch.linspace(0.5, 3, 10)[:, None]
    assert feature_std(one * lengths).item() == pytest.approx(0, abs=1e-6)
    assert rankme(one * lengths).item() == pytest.approx(1, rel=1e-4)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 1000), st.floats(-3, 3))
def test_feature_std_stays_in_the_unit_interval(images, dim, seed, common):
    found = feature_std(drawn(images, dim, seed) + common).item()
    assert 0 <= found <= 1 + 1e-5


def test_features_in_half_precision_are_measured_in_full():
    features = drawn(50, 8).bfloat16()
    assert feature_std(features).dtype == rankme(features).dtype == torch.float32
    assert rankme(features).item() == pytest.approx(rankme(features.float()).item())
