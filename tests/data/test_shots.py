"""Draws of a few labelled images."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mk11.data.shots import shot_ranks

TABLES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["", "P0", "P1", "P2"])), min_size=1, max_size=40
)


def columns(rows):
    labels, groups = zip(*rows, strict=True)
    return np.array(labels), np.array(groups, dtype=object)


@given(TABLES, st.integers(0, 5), st.integers(0, 5))
def test_each_class_is_taken_whole_in_one_order(rows, seed, draw):
    labels, groups = columns(rows)
    ranks = shot_ranks(labels, groups, seed=seed, draw=draw)
    for label in set(labels.tolist()):
        assert sorted(ranks[labels == label]) == list(range((labels == label).sum()))


@given(TABLES, st.integers(1, 10))
def test_n_shots_show_as_many_patients_as_they_can(rows, shots):
    labels, groups = columns(rows)
    ranks = shot_ranks(labels, groups, seed=0, draw=0)
    for label in set(labels.tolist()):
        of_class = groups[labels == label]
        taken = groups[(labels == label) & (ranks < shots)]
        known, unknown = set(of_class[of_class != ""]), (of_class == "").sum()
        shown = len(set(taken[taken != ""])) + (taken == "").sum()
        assert shown == min(shots, len(known) + unknown)


def test_a_patient_gives_a_second_image_only_after_every_other_gave_one():
    labels = np.zeros(12, int)
    groups = np.array(["A"] * 9 + ["B"] * 2 + ["C"], dtype=object)
    for draw in range(20):
        order = groups[np.argsort(shot_ranks(labels, groups, seed=0, draw=draw))]
        assert set(order[:3]) == {"A", "B", "C"}
        assert set(order[3:5]) == {"A", "B"}


def test_patients_are_drawn_alike_however_many_images_they_have():
    labels = np.zeros(20, int)
    groups = np.array(["many"] * 19 + ["one"], dtype=object)
    first = [groups[np.argmin(shot_ranks(labels, groups, seed=1, draw=draw))] for draw in range(400)]
    assert 0.4 < first.count("one") / 400 < 0.6


def test_every_image_of_a_patient_can_be_the_first():
    labels, groups = np.zeros(5, int), np.full(5, "A", dtype=object)
    firsts = {int(np.argmin(shot_ranks(labels, groups, seed=0, draw=draw))) for draw in range(100)}
    assert firsts == set(range(5))


def test_a_draw_repeats_itself_and_differs_from_the_next():
    labels, groups = np.arange(60) % 3, np.array([f"P{i % 7}" for i in range(60)], dtype=object)
    one = shot_ranks(labels, groups, seed=3, draw=0)
    assert np.array_equal(one, shot_ranks(labels, groups, seed=3, draw=0))
    assert not np.array_equal(one, shot_ranks(labels, groups, seed=3, draw=1))
    assert not np.array_equal(one, shot_ranks(labels, groups, seed=4, draw=0))
