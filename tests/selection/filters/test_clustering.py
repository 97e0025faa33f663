from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from mk11.selection.filters.clustering import (
    cluster_colours,
    improved,
    merge_centres,
    nearest_centre,
    squared_distances,
    squared_error,
)
from mk11.selection.filters.histogram import coarser, colour_codes, colour_histogram, table_of


def a_field(seed, height=40, width=50):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def histogram_of(image, bits=5):
    return colour_histogram(image, bits=bits)


@given(st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_every_pixel_is_counted_once_under_its_own_code(seed):
    image = a_field(seed, 9, 7)
    histogram = histogram_of(image)
    slow = {}
    for red, green, blue in (image.reshape(-1, 3) >> 3).tolist():
        code = red * 1024 + green * 32 + blue
        slow[code] = slow.get(code, 0) + 1
    assert dict(zip(histogram.codes.tolist(), histogram.counts.tolist(), strict=True)) == slow
    assert np.abs(histogram.means[0] - [histogram.codes[0] // 1024 * 8 + 3.5] * 1).min() == 0


def test_coarser_colours_keep_count_and_mean_of_the_finer_ones():
    fine = histogram_of(a_field(1), bits=6)
    coarse, member = coarser(fine, bits=6, to_bits=4)
    for number in (0, len(coarse.codes) // 2, len(coarse.codes) - 1):
        rows = member == number
        assert coarse.counts[number] == fine.counts[rows].sum()
        slow = (fine.means[rows] * fine.counts[rows, None]).sum(0) / fine.counts[rows].sum()
        assert coarse.means[number] == pytest.approx(slow)
    assert set(coarse.codes.tolist()) == set(histogram_of(a_field(1), bits=4).codes.tolist())


def test_a_table_gives_each_pixel_the_value_of_its_colour():
    image = a_field(2)
    codes = colour_codes(image, bits=5)
    histogram = colour_histogram(image, bits=5)
    table = table_of(histogram, np.arange(len(histogram.codes)), bits=5)
    assert (histogram.codes[table[codes]] == codes).all()


@given(st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_iterations_never_raise_the_squared_error(seed):
    histogram = histogram_of(a_field(seed, 20, 20))
    start = histogram.means[:6]
    errors = [
        squared_error(
            histogram.means, histogram.counts,
            improved(histogram.means, histogram.counts, start, iterations=count),
        )
        for count in range(5)
    ]  # fmt: skip
    assert all(later <= earlier + 1e-6 for earlier, later in pairwise(errors))


def test_the_best_start_is_kept():
    histogram = histogram_of(a_field(3))
    one, many = (
        squared_error(
            histogram.means,
            histogram.counts,
            cluster_colours(histogram, clusters=8, iterations=3, starts=starts, seed=0),
        )
        for starts in (1, 6)
    )
    assert many < one


def test_clusters_are_the_same_to_the_bit_however_many_threads_and_in_whatever_order():
    histograms = [histogram_of(a_field(seed)) for seed in range(3)]

    def clusters(order):
        return {
            number: cluster_colours(histograms[number], clusters=20, iterations=10, starts=3, seed=number)
            for number in order
        }

    with threadpool_limits(1):
        alone = clusters([0, 1, 2])
    with threadpool_limits(2):
        other = clusters([2, 0, 1])
    assert all(np.array_equal(alone[number], other[number]) for number in range(3))


def test_another_seed_may_find_other_clusters():
    histogram = histogram_of(a_field(4))
    first, second = (cluster_colours(histogram, clusters=8, iterations=1, starts=1, seed=s) for s in (0, 1))
    assert not np.array_equal(first, second)


def test_a_field_of_two_colours_has_two_clusters():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2] = 255
    centres = cluster_colours(histogram_of(image), clusters=20, iterations=5, starts=2, seed=0)
    assert centres.tolist() == [[3.5] * 3, [251.5] * 3]


def test_merging_takes_the_pair_that_costs_least_by_ward():
    centres = np.array([[0.0, 0, 0], [10, 0, 0], [100, 0, 0], [112, 0, 0]])
    # heavy clusters 10 apart cost 1000 * 1000 / 2000 * 100 = 50000; light ones 12 apart 1 * 1 / 2 * 144 = 72
    merged, member = merge_centres(centres, np.array([1000, 1000, 1, 1]), clusters=3)
    assert member.tolist() == [0, 1, 2, 2]
    assert merged[2].tolist() == [106, 0, 0]


def test_merging_weighs_the_mean_and_follows_all_members():
    centres = np.array([[0.0, 0, 0], [4, 0, 0], [200, 0, 0], [8, 0, 0]])
    merged, member = merge_centres(centres, np.array([3, 1, 5, 4]), clusters=2)
    assert member.tolist() == [0, 0, 1, 0]
    assert merged[0].tolist() == pytest.approx([(0 * 3 + 4 + 8 * 4) / 8, 0, 0])


def test_distances_are_those_of_numpy():
    colours, centres = (255 * np.random.default_rng(seed).random((7 + seed, 3)) for seed in (0, 1))
    slow = ((centres[:, None] - colours) ** 2).sum(2)
    assert squared_distances(colours, centres) == pytest.approx(slow)
    assert (nearest_centre(colours, centres) == slow.argmin(0)).all()
