"""The rivals against slow ways, scikit-activeml and numbers worked by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selection_crops import candidates, labelled, rules

from mk11.selection.strategies.entropy import Entropy
from mk11.selection.strategies.k_centre import KCentre, farthest_first
from mk11.selection.strategies.margin import Margin
from mk11.selection.strategies.random import Random
from mk11.selection.strategies.typiclust import TypiClust, cluster_order, in_turn, typical_first


def admitted(strategy, given_ones, budget, seed=0):
    table = strategy.select(given_ones, labelled(), budget=budget, seed=seed)
    return table[table["admitted"]].sort_values("rank")["row"].tolist()


def test_random_draws_anew_with_the_seed_and_each_as_often():
    strategy, given_ones = Random(**rules()), candidates(*range(6))
    draws = [admitted(strategy, given_ones, 2, seed) for seed in range(60)]
    assert draws[0] == admitted(strategy, given_ones, 2, 0)
    counts = np.bincount(np.concatenate(draws), minlength=6)
    assert counts.min() > 8  # 20 expected, standard deviation 4
    assert counts.max() < 32


@settings(max_examples=15)
@given(st.integers(0, 2**16))
def test_a_larger_random_draw_holds_the_smaller_one(seed):
    strategy, given_ones = Random(**rules()), candidates(*range(9))
    assert admitted(strategy, given_ones, 5, seed)[:3] == admitted(strategy, given_ones, 3, seed)


def test_k_centre_takes_the_farthest_first():
    # labelled at -1, 2, 7 and 13: gaps 7, 5.5 and 2.5; after 20 is taken, 19 lies 1 from it
    assert admitted(KCentre(**rules()), candidates(4.5, 19.0, 20.0, -6.5), 3) == [2, 3, 0]


@settings(max_examples=30)
@given(st.integers(0, 2**16), st.integers(1, 10))
def test_k_centre_is_a_slow_search_through_all_distances(seed, budget):
    generator = np.random.default_rng(seed)
    points, known = generator.normal(5, 1, (15, 4)), generator.normal(5, 1, (4, 4))
    chosen = []
    for _ in range(budget):
        centres = [*known, *points[chosen]]
        gaps = [min(np.linalg.norm(point - centre) for centre in centres) for point in points]
        chosen.append(int(np.argmax([-1 if row in chosen else gap for row, gap in enumerate(gaps)])))
    assert farthest_first(points, known, budget) == chosen


def test_k_centre_is_scikit_activeml_s_coreset():
    from skactiveml.pool import CoreSet

    generator = np.random.default_rng(0)
    points, known = generator.normal(size=(60, 8)), generator.normal(size=(10, 8))
    labels = np.append(np.full(60, np.nan), np.zeros(10))
    theirs = CoreSet(random_state=0).query(np.concatenate([points, known]), labels, batch_size=20)
    assert farthest_first(points, known, 20) == theirs.tolist()


def test_k_centre_tells_small_distances_far_from_the_origin_apart():
    points = (np.array([[0.0], [1.0], [1.1]]) + 1e4).astype(np.float32)
    assert farthest_first(points, np.array([[0.4 + 1e4]], np.float32), 3) == [2, 0, 1]


def test_the_smallest_margin_and_the_largest_entropy_come_first():
    probabilities = np.array([[0.5, 0.49, 0.01], [0.9, 0.05, 0.05], [0.4, 0.3, 0.3], [0.35, 0.33, 0.32]])
    # margins 0.01, 0.85, 0.1, 0.02; entropies 0.74, 0.39, 1.09, 1.10
    given_ones = candidates(0, 1, 2, 3, probabilities=probabilities)
    assert admitted(Margin(**rules()), given_ones, 3) == [0, 3, 2]
    assert admitted(Entropy(**rules()), given_ones, 3) == [3, 2, 0]


def test_a_certain_candidate_has_no_entropy():
    probabilities = np.array([[1.0, 0.0], [0.8, 0.2]])
    strategy = Entropy(**rules())
    assert strategy.uncertainty(probabilities) == pytest.approx([0.0, -0.8 * np.log(0.8) - 0.2 * np.log(0.2)])
    assert admitted(strategy, candidates(0, 1, probabilities=probabilities), 1) == [1]


def test_clusters_with_few_labelled_come_first_then_large_ones():
    clusters = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3])
    new = np.array([1, 1, 0, 1, 1, 1, 1, 0, 0, 1], bool)
    table = cluster_order(clusters, new)
    assert table.index.tolist() == [1, 3, 0, 2]
    assert table["size"].tolist() == [2, 1, 3, 4]


@given(st.integers(0, 2**16), st.integers(1, 12), st.integers(1, 6))
def test_typicality_is_that_of_the_authors_code_after_each_pick(seed, count, neighbours):
    points = np.random.default_rng(seed).normal(size=(count, 3))
    left, expected = list(range(count)), []
    while left:
        scores = []
        for row in left:
            near = sorted(np.linalg.norm(points[row] - points[other]) for other in left if other != row)
            near = near[: max(1, min(neighbours, len(left) // 2))]
            scores.append(1 / (np.mean(near) + 1e-5) if near else 1.0)
        expected.append(left.pop(int(np.argmax(scores))))
    assert list(typical_first(points, neighbours=neighbours)) == expected


def test_sources_take_turns_until_all_are_used_up():
    assert list(in_turn([iter([1, 4, 6]), iter([2]), iter([3, 5])])) == [1, 2, 3, 4, 5, 6]


def test_typiclust_takes_the_middle_of_the_largest_cluster_that_nothing_covers():
    strategy = TypiClust(max_clusters=500, neighbours=20, smallest=0, **rules())
    # five crops about 100, three about 200, of which all have one neighbour at 1, and one among the labelled
    given_ones = candidates(99, 101, 100, 100.5, 99.5, 201, 200, 199, 8)
    assert admitted(strategy, given_ones, 2)[:1] == [2]
    covered = TypiClust(max_clusters=3, neighbours=20, smallest=0, **rules())
    assert admitted(covered, given_ones, 3) == [2, 5, 8]


def test_typiclust_leaves_noise_to_the_end():
    strategy = TypiClust(max_clusters=3, neighbours=20, smallest=3, **rules())
    given_ones = candidates(99, 101, 100, 100.5, 99.5, 201, 200, 199, 8)
    found = admitted(strategy, given_ones, 9)
    assert set(found[-3:]) == {5, 6, 7}
    assert found[:2] == [2, 8]


def test_typiclust_finds_enough_clusters_among_equal_crops():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        strategy = TypiClust(max_clusters=500, neighbours=20, smallest=5, **rules())
        assert len(admitted(strategy, candidates(*[3.0] * 6), 4)) == 4
