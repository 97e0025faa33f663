from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from mk11.selection.filters.clustering import (
    best_start,
    improved,
    merge_centres,
    nearest_centre,
    refined_clusters,
    spread_centres,
    squared_distances,
    squared_error,
)
from mk11.selection.filters.histogram import (
    coarser,
    colour_codes,
    colour_cube,
    colour_histogram,
    looked_up,
)

START = {"clusters": 8, "trials": 1, "iterations": 3, "stride": 1.0, "seed": 0}
WHOLE = {
    "cluster_bits": 4, "start_bits": 3, "clusters": 20, "starts": 3, "trials": 3, "iterations": 10,
    "refinements": 2, "stride": 1.8,
}  # fmt: skip


def a_field(seed, height=40, width=50):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def planes_of(image):
    return cv2.split(image)


def histogram_of(image, bits=5):
    return colour_histogram(colour_cube(planes_of(image), bits=bits))


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
    assert histogram.means[0, 0] == histogram.codes[0] // 1024 * 8 + 3.5
    assert histogram.means[0, 2] == histogram.codes[0] % 32 * 8 + 3.5


def test_coarser_colours_keep_count_and_mean_of_the_finer_ones():
    fine = histogram_of(a_field(1), bits=6)
    coarse = coarser(fine, bits=4)
    red, green, blue = fine.codes >> 12, fine.codes >> 6 & 63, fine.codes & 63
    member = (red >> 2 << 8) + (green >> 2 << 4) + (blue >> 2)
    assert coarse.codes.tolist() == sorted(set(member.tolist()))
    for number in (0, len(coarse.codes) // 2, len(coarse.codes) - 1):
        rows = member == coarse.codes[number]
        assert coarse.counts[number] == fine.counts[rows].sum()
        slow = (fine.means[rows] * fine.counts[rows, None]).sum(0) / fine.counts[rows].sum()
        assert coarse.means[number] == pytest.approx(slow)
    assert set(coarse.codes.tolist()) == set(histogram_of(a_field(1), bits=4).codes.tolist())


@pytest.mark.parametrize("bits", [3, 5, 7])
def test_each_pixel_is_given_what_the_cube_holds_for_its_colour(bits):
    planes = planes_of(a_field(2))
    cube = np.random.default_rng(0).integers(0, 256, (1 << bits,) * 3).astype(np.float32)
    red, green, blue = (plane >> (8 - bits) for plane in planes)
    assert (looked_up(planes, cube) == cube[red, green, blue]).all()
    assert (
        colour_codes(planes, bits=bits) == (red.astype(int) << 2 * bits) + (green.astype(int) << bits) + blue
    ).all()


@given(st.integers(0, 99), st.floats(0.01, 1.99))
@settings(max_examples=20, deadline=None)
def test_iterations_never_raise_the_squared_error(seed, stride):
    histogram = histogram_of(a_field(seed, 20, 20))
    start = histogram.means[:6]
    errors = [
        squared_error(histogram, improved(histogram, start, iterations=count, stride=stride))
        for count in range(5)
    ]
    assert all(later <= earlier + 1e-6 for earlier, later in pairwise(errors))


def test_an_iteration_of_stride_one_is_lloyds():
    histogram = histogram_of(a_field(5, 20, 20))
    start = histogram.means[:6]
    labels = ((histogram.means[:, None] - start) ** 2).sum(2).argmin(1)
    slow = [
        np.average(histogram.means[labels == one], axis=0, weights=histogram.counts[labels == one])
        for one in range(6)
    ]
    once = improved(histogram, start, iterations=1, stride=1.0)
    assert once == pytest.approx(np.array(slow))
    longer = improved(histogram, start, iterations=1, stride=1.5)
    assert longer == pytest.approx(np.clip(start + 1.5 * (slow - start), 0, 255))


def test_long_strides_get_further_in_as_many_iterations():
    errors = {}
    for stride in (1.0, 1.8):
        fields = [histogram_of(a_field(seed)) for seed in range(5)]
        errors[stride] = sum(
            squared_error(one, improved(one, one.means[::900], iterations=6, stride=stride)) for one in fields
        )
    assert errors[1.8] < errors[1.0]


def test_the_best_start_is_kept():
    histogram = histogram_of(a_field(3))
    one, many = (squared_error(histogram, best_start(histogram, starts=starts, **START)) for starts in (1, 6))
    assert many < one


def test_more_trials_a_centre_leave_less_error():
    histogram = histogram_of(a_field(3))
    errors = [
        np.mean(
            [
                squared_error(
                    histogram,
                    spread_centres(
                        histogram, clusters=12, trials=trials, generator=np.random.default_rng(seed)
                    ),
                )
                for seed in range(5)
            ]
        )
        for trials in (1, 5)
    ]
    assert errors[1] < errors[0]


def test_clusters_are_the_same_to_the_bit_however_many_threads_and_in_whatever_order():
    histograms = [histogram_of(a_field(seed)) for seed in range(3)]

    def clusters(order):
        return {number: refined_clusters(histograms[number], seed=number, **WHOLE) for number in order}

    with threadpool_limits(1):
        alone = clusters([0, 1, 2])
    with threadpool_limits(2):
        other = clusters([2, 0, 1])
    assert all(np.array_equal(alone[number], other[number]) for number in range(3))


def test_another_seed_may_find_other_clusters():
    histogram = histogram_of(a_field(4))
    first, second = (best_start(histogram, starts=1, **{**START, "seed": seed}) for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_a_field_of_two_colours_has_two_clusters():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2] = 255
    centres = refined_clusters(histogram_of(image), seed=0, **WHOLE)
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
