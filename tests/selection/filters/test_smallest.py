"""A wrongly marked speck among the examples must not lower the limit of what is a cell."""

from dataclasses import replace

import pytest
from drawn_blobs import LIMITS, a_field, fitted, learnt

from mk11.selection.filters.describe import in_words
from mk11.selection.filters.smallest import with_sound_limit

CELLS = ((50, 60, 18), (130, 90, 20))
SPECKS = ((90, 60, 6), (170, 60, 6), (90, 100, 6), (180, 100, 6))


@pytest.fixture(scope="module")
def examples():
    """Ten fields with two cells and four specks each; in the first a speck is marked as a cell."""
    shown = [a_field(seed, cells=(*CELLS, *SPECKS)) for seed in range(10)]
    return [replace(one, boxes=one.boxes[: 3 if number == 0 else 2]) for number, one in enumerate(shown)]


def kept(finder):
    field = a_field(40, cells=(*CELLS, *SPECKS))
    return sum(one.kept for one in finder.find(field.image, um_per_pixel=None, seed=0))


def test_the_size_of_one_speck_is_no_limit_where_it_lets_all_specks_in(examples):
    finder = fitted(learnt(examples))
    sound = with_sound_limit(finder, examples)
    assert (kept(finder), kept(sound)) == (6, 2)
    assert (finder.rule.smallest_px, sound.rule.smallest_px) == (13, 37)
    assert sound.rule.provenance["too_small_px"] == [13]
    assert "smallest 37 px (13 px left out" in in_words(sound.rule, threshold=-0.25)


def test_a_small_cell_counts_where_nothing_else_has_its_size():
    examples = [a_field(seed, cells=(*CELLS, SPECKS[0]) if seed == 0 else CELLS) for seed in range(10)]
    finder = fitted(learnt(examples))
    assert with_sound_limit(finder, examples) is finder
    assert finder.rule.smallest_px == 13


def test_no_more_than_a_tenth_of_the_cells_is_left_out(examples):
    marked = [a_field(seed, cells=(*CELLS, SPECKS[0])) for seed in range(3)]
    many = [*marked, *examples[3:]]
    assert with_sound_limit(fitted(learnt(many)), many).rule.smallest_px == 13


@pytest.mark.parametrize("known", ["crops", "scale", "limit"])
def test_a_limit_that_does_not_come_from_boxes_in_fields_is_left_alone(examples, known):
    if known == "limit":
        finder = fitted(learnt(examples), limits=replace(LIMITS, min_diameter_px=10, min_diameter_um=None))
    else:
        change = {"is_crop": True} if known == "crops" else {"um_per_pixel": 0.4}
        examples = [replace(one, **change) for one in examples]
        finder = fitted(learnt(examples))
    assert with_sound_limit(finder, examples) is finder
