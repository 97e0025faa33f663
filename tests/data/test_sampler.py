"""The order of an epoch: a pure function of (seed, epoch), shared out to the devices."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mk11.data.sampler import EpochSampler, earlier_occurrences


def sampler(count=20, seed=0, *, shuffle=True, rank=0, world_size=1, pad=True, weights=None, epoch=0):
    result = EpochSampler(
        count=count,
        seed=seed,
        shuffle=shuffle,
        rank=rank,
        world_size=world_size,
        whole=world_size if pad else None,
        weights=weights,
    )
    result.set_epoch(epoch)
    return result


def ranks(world_size, **how):
    return [list(sampler(rank=rank, world_size=world_size, **how)) for rank in range(world_size)]


@given(count=st.integers(1, 60), seed=st.integers(0, 5), epoch=st.integers(0, 5))
def test_on_one_device_every_image_comes_once_an_epoch(count, seed, epoch):
    pairs = list(sampler(count, seed, epoch=epoch))
    assert sorted(pairs) == [(epoch, position) for position in range(count)]


def test_the_order_depends_on_seed_and_epoch_alone():
    assert list(sampler(epoch=3)) == list(sampler(epoch=3))
    orders = [tuple(p for _, p in sampler(seed=s, epoch=e)) for s, e in [(0, 0), (0, 1), (1, 0), (1, 1)]]
    assert len(set(orders)) == 4


@given(count=st.integers(1, 60), world_size=st.integers(1, 7), epoch=st.integers(0, 3))
def test_padded_slices_are_equally_long_and_cover_every_image(count, world_size, epoch):
    slices = ranks(world_size, count=count, epoch=epoch)
    assert len({len(part) for part in slices}) == 1
    images = Counter(position % count for part in slices for _, position in part)
    assert set(images) == set(range(count))
    assert max(images.values()) - min(images.values()) <= 1


@given(count=st.integers(1, 60), world_size=st.integers(1, 7))
def test_unpadded_slices_hold_each_image_exactly_once(count, world_size):
    slices = ranks(world_size, count=count, pad=False, shuffle=False)
    assert sorted(position for part in slices for _, position in part) == list(range(count))


@given(
    count=st.integers(1, 60), world_size=st.integers(1, 7), rank=st.integers(0, 6), pad=st.booleans()
)  # fmt: skip
def test_the_length_is_what_iterating_gives(count, world_size, rank, pad):
    one = sampler(count, rank=rank % world_size, world_size=world_size, pad=pad)
    assert len(one) == len(list(one))


@pytest.mark.parametrize("weighted", [False, True])
def test_slices_interleave_to_the_order_of_one_device(weighted):
    weights = np.arange(1.0, 25) if weighted else None
    one = list(sampler(24, weights=weights, epoch=2))
    slices = ranks(3, count=24, weights=weights, epoch=2)
    assert [pair for step in zip(*slices, strict=True) for pair in step] == one


def test_without_shuffling_the_order_is_the_tables():
    assert list(sampler(5, shuffle=False, pad=False)) == [(0, position) for position in range(5)]


def balanced(labels):
    return 1 / np.bincount(labels)[labels]


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_weights_balance_the_classes_alike_on_any_number_of_devices(world_size):
    labels = np.repeat([0, 1, 2], [1600, 300, 100])
    slices = ranks(world_size, count=2000, weights=balanced(labels), epoch=1)
    histogram = np.bincount([labels[position % 2000] for part in slices for _, position in part])
    single = np.bincount(
        [labels[position % 2000] for _, position in sampler(2000, weights=balanced(labels), epoch=1)]
    )
    assert histogram.tolist() == single.tolist()
    assert np.abs(histogram - 2000 / 3).max() < 75  # 3.5 standard deviations


def test_over_epochs_images_are_drawn_in_proportion_to_their_weight():
    weights = np.array([1.0, 2.0, 5.0])
    drawn = Counter(p % 3 for epoch in range(3000) for _, p in sampler(3, weights=weights, epoch=epoch))
    shares = np.array([drawn[k] for k in range(3)]) / 9000
    assert shares == pytest.approx(weights / 8, abs=0.03)


def test_a_repeat_within_an_epoch_has_a_number_of_its_own():
    pairs = list(sampler(10, weights=np.array([1.0] + [1e-9] * 9)))
    assert sorted(position for _, position in pairs) == [10 * repeat for repeat in range(10)]


@given(st.lists(st.integers(0, 5), max_size=30))
def test_earlier_occurrences_are_counted_as_a_loop_counts_them(values):
    expected = [values[:place].count(value) for place, value in enumerate(values)]
    assert earlier_occurrences(np.array(values, dtype=np.int64)).tolist() == expected
