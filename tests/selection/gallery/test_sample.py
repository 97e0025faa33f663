"""Which fields the gallery shows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mk11.selection.gallery.sample import (
    DROPPED,
    EMPTY,
    KINDS,
    SELECTED,
    UNSELECTED,
    kinds_of_field,
    sample_fields,
)


def kinds(*counts):
    """So many fields of each kind, mixed."""
    mixed = np.random.default_rng(0).permutation(np.repeat(np.array(KINDS, dtype=object), counts))
    return pd.Series(mixed, index=pd.Index([f"f{k}" for k in range(len(mixed))], name="field"), dtype=object)


def test_a_field_s_kind_is_the_furthest_that_any_of_its_regions_came(make):
    assert list(kinds_of_field(make())) == [SELECTED, SELECTED, UNSELECTED, DROPPED, EMPTY, EMPTY]


def test_half_of_twelve_places_go_to_selected_ones_and_two_to_each_other_kind():
    chosen = sample_fields(kinds(100, 30, 30, 30), count=12, seed=0)
    assert list(chosen) == [SELECTED] * 6 + [UNSELECTED] * 2 + [DROPPED] * 2 + [EMPTY] * 2


def test_places_that_a_kind_cannot_fill_go_to_others():
    chosen = sample_fields(kinds(3, 0, 50, 1), count=12, seed=0)
    assert chosen.value_counts().to_dict() == {SELECTED: 3, DROPPED: 8, EMPTY: 1}


@given(st.tuples(*[st.integers(0, 20)] * 4), st.integers(0, 30), st.integers(0, 9))
def test_as_many_as_there_is_room_for_none_twice_and_every_kind_if_it_fits(counts, count, seed):
    fields = kinds(*counts)
    chosen = sample_fields(fields, count=count, seed=seed)
    assert len(chosen) == min(count, len(fields))
    assert chosen.index.is_unique
    assert (fields[chosen.index] == chosen).all()
    if count >= len(KINDS):
        assert set(chosen) == set(fields)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_with_fewer_places_than_kinds_success_comes_first(count):
    assert list(sample_fields(kinds(9, 9, 9, 9), count=count, seed=0)) == list(KINDS[:count])


def test_the_seed_decides_and_nothing_else():
    fields = kinds(100, 30, 30, 30)
    first, again, other = (sample_fields(fields, count=12, seed=seed) for seed in (0, 0, 1))
    assert list(first.index) == list(again.index)
    assert list(first.index) != list(other.index)
