"""Each image's randomness comes from (seed, epoch, index) and leaves no trace."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mk11.data.transforms.randomness import restored_generators, seed_generators

NUMBER = st.integers(0, 2**40)


def draws(*triple):
    with restored_generators():
        seed_generators(*triple)
        return torch.rand(1).item(), float(np.random.rand()), random.random()


@settings(deadline=None)
@given(triple=st.tuples(NUMBER, NUMBER, NUMBER))
def test_the_same_triple_gives_the_same_draws_from_all_three_generators(triple):
    assert draws(*triple) == draws(*triple)


@settings(deadline=None)
@given(one=st.tuples(NUMBER, NUMBER, NUMBER), other=st.tuples(NUMBER, NUMBER, NUMBER))
def test_another_triple_gives_other_draws_from_all_three(one, other):
    if one != other:
        assert all(a != b for a, b in zip(draws(*one), draws(*other), strict=True))


def test_seed_epoch_and_index_are_not_exchangeable():
    assert len({draws(*triple) for triple in [(1, 2, 3), (3, 2, 1), (2, 1, 3), (6, 0, 0), (0, 6, 0)]}) == 5


def test_all_three_generators_go_on_as_if_nothing_had_happened(states, seed_all):
    seed_all(7)
    random.gauss(0, 1), np.random.normal()  # both keep a second value for later
    before = states()
    draws(1, 2, 3)
    assert states() == before


def test_they_are_restored_after_an_error_too(states):
    before = states()
    with pytest.raises(ZeroDivisionError), restored_generators():
        random.seed(1 / 0 if random.random() < 2 else 1)
    assert states() == before


def test_draws_of_neighbouring_images_are_spread_evenly():
    drawn = np.array([draws(0, 0, index) for index in range(500)])
    assert np.abs(drawn.mean(axis=0) - 0.5).max() < 0.06
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 0.15
