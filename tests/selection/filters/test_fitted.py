import pickle
from dataclasses import replace

import numpy as np
import pytest
from drawn_blobs import CYTOPLASM, GROUND, LIMITS, NUCLEUS, RED, SEGMENTATION, a_field, fitted, learnt

from mk11.errors import UserError
from mk11.selection.filters.adapting import Adaptation, adapt_rule
from mk11.selection.filters.colour_rule import NEUTRAL, STEP, ColourRule
from mk11.selection.filters.describe import accepted_colours, describe, hue_range, in_words, swatches
from mk11.selection.filters.examples import crop_example, inside, outside
from mk11.selection.filters.learning import table_of_shares

ADAPTATION = Adaptation(size_rounds=3, rounds=2, smallest_nucleus=0.3, growth=0.15)


@pytest.fixture(scope="module")
def rule():
    return learnt([a_field(seed) for seed in range(6)])


def boxes(regions):
    return np.array([region[:4] for region in regions if region.kept])


def evidence_of(rule, colour):
    """In white light the ground is 240."""
    red, green, blue = (
        min(255, round(value * 240 / ground)) >> 3 for value, ground in zip(colour, GROUND, strict=True)
    )
    return (int(rule.table[red << 10 | green << 5 | blue]) - NEUTRAL) / STEP


def test_nucleus_and_cytoplasm_speak_for_a_cell_ground_and_red_cells_against(rule):
    assert min(evidence_of(rule, NUCLEUS), evidence_of(rule, CYTOPLASM)) > 1
    assert max(evidence_of(rule, GROUND), evidence_of(rule, RED)) < -1


def test_evidence_is_the_log_ratio_of_shares():
    cell, rest = np.zeros(32768), np.zeros(32768)
    cell[:2], rest[:2] = (0.8, 0.2), (0.2, 0.8)
    steps = table_of_shares(cell, rest)
    assert steps[0] == round(np.log(4) * STEP + NEUTRAL)
    assert steps[1] == round(-np.log(4) * STEP + NEUTRAL)
    assert steps[2] == NEUTRAL


def test_boxes_are_found_to_the_pixel_or_two(rule):
    field = a_field(50, cells=((140, 66, 20), (60, 70, 16)))
    assert np.abs(boxes(fitted(rule).find(field.image, um_per_pixel=None, seed=0)) - field.boxes).max() <= 3


def test_light_of_another_colour_changes_nothing(rule):
    field = a_field(51, light=(0.85, 0.95, 0.8))
    assert np.abs(boxes(fitted(rule).find(field.image, um_per_pixel=None, seed=0)) - field.boxes).max() <= 3


def test_touching_cells_are_two_regions(rule):
    field = a_field(52, cells=((70, 70, 18), (105, 70, 18)))
    assert len(boxes(fitted(rule).find(field.image, um_per_pixel=None, seed=0))) == 2
    never = replace(SEGMENTATION, neck=0.0)
    assert len(boxes(fitted(rule, segmentation=never).find(field.image, um_per_pixel=None, seed=0))) == 1


def test_small_regions_come_out_with_their_reason(rule):
    field = a_field(53, cells=((60, 70, 18), (140, 70, 6)))
    reasons = [one.reason for one in fitted(rule).find(field.image, um_per_pixel=None, seed=0)]
    assert sorted(reasons) == ["", "small"]


def test_with_a_scale_the_smallest_cell_is_told_in_micrometres():
    rule = learnt([a_field(seed, um_per_pixel=0.4) for seed in range(6)])
    field = a_field(53, cells=((60, 70, 18), (140, 70, 9)), um_per_pixel=0.4)  # 7.2 um across
    assert len(boxes(fitted(rule).find(field.image, um_per_pixel=0.4, seed=0))) == 2
    larger = replace(LIMITS, min_diameter_um=9.0)
    assert len(boxes(fitted(rule, limits=larger).find(field.image, um_per_pixel=0.4, seed=0))) == 1


def test_an_empty_field_has_no_kept_region(rule):
    assert boxes(fitted(rule).find(a_field(54, cells=()).image, um_per_pixel=None, seed=0)).size == 0


def test_border_cells_are_kept_or_dropped_by_the_switch(rule):
    field = a_field(55, cells=((60, 70, 16), (2, 70, 18)))
    dropped = fitted(rule, limits=replace(LIMITS, keep_border=False))
    found = dropped.find(field.image, um_per_pixel=None, seed=0)
    assert [one.reason for one in found if one.at_border and one.area > 200] == ["border"]
    assert len(boxes(fitted(rule).find(field.image, um_per_pixel=None, seed=0))) == 2


def test_a_filter_sent_to_another_process_finds_the_same(rule):
    image = a_field(56).image
    here, there = fitted(rule), pickle.loads(pickle.dumps(fitted(rule)))
    assert here.find(image, um_per_pixel=None, seed=0) == there.find(image, um_per_pixel=None, seed=1)


def test_the_rule_does_not_depend_on_the_order_of_examples(rule):
    again = learnt([a_field(seed) for seed in reversed(range(6))])
    assert again.hash == rule.hash
    assert again.provenance["examples"] == rule.provenance["examples"]


def test_crops_of_single_cells_teach_it_as_well():
    crops = []
    for seed in range(8):
        image = a_field(seed).image[52:129, 92:169]  # the larger cell with red cells below
        crops.append(crop_example(image, margin=0.22, um_per_pixel=None))
    field = a_field(57)
    found = boxes(fitted(learnt(crops)).find(field.image, um_per_pixel=None, seed=0))
    assert found.shape == field.boxes.shape
    assert np.abs(found - field.boxes).max() <= 5


def test_a_stored_rule_comes_back_and_a_changed_one_is_refused(rule, tmp_path):
    rule.save(tmp_path / "rule.json")
    back = ColourRule.load(tmp_path / "rule.json")
    assert back.hash == rule.hash
    assert back.provenance["cells"] == 12
    assert (back.table == rule.table).all()
    told = (tmp_path / "rule.json").read_text()
    (tmp_path / "rule.json").write_text(told.replace('"cell_px": ', '"cell_px": 1'))
    with pytest.raises(UserError, match="hash differs"):
        ColourRule.load(tmp_path / "rule.json")


def test_a_file_that_is_no_rule_is_refused(tmp_path):
    (tmp_path / "rule.json").write_text('{"table": "?"}')
    with pytest.raises(UserError, match="must be a colour rule"):
        ColourRule.load(tmp_path / "rule.json")
    with pytest.raises(UserError, match="is not there"):
        ColourRule.load(tmp_path / "none.json")


def test_examples_without_a_cell_are_refused():
    with pytest.raises(UserError, match="at least one labelled cell"):
        learnt([a_field(0, cells=())])


def test_in_words_it_tells_purple_hues(rule):
    told = describe(rule, threshold=-0.25)
    low, high = told.hue
    assert 110 <= low < high <= 165
    assert told.hue_degrees == (2 * low, 2 * high)
    assert 0 < told.share < 0.2
    assert f"hue {low}-{high}" in in_words(rule, threshold=-0.25)


def test_a_range_of_hues_may_run_through_zero():
    assert hue_range(np.array([170.0, 175, 0, 5])) == (171, 4)


def test_the_picture_of_accepted_colours_holds_each_of_them(rule):
    colours = accepted_colours(rule, threshold=-0.25)
    picture = swatches(rule, threshold=-0.25, columns=10)
    shown = {tuple(one) for one in picture[::8, ::8].reshape(-1, 3).tolist()}
    assert {tuple(one) for one in colours.tolist()} <= shown


def test_fields_without_labels_of_another_stain_and_size_adapt_the_rule(rule):
    def other(seed, cells):
        field = a_field(seed, cells=cells, light=(0.95, 1.0, 0.85))
        stained = field.image.astype(float)
        stained[..., 0] *= np.where(stained[..., 1] < 150, 1.5, 1.0)  # nuclei and cytoplasm turn magenta
        return replace(field, image=np.clip(stained, 0, 255).astype(np.uint8))

    unlabelled = [
        replace(other(seed, ((50, 70, 26), (140, 70, 28))), boxes=np.zeros((0, 4))) for seed in range(5)
    ]
    adapted = adapt_rule(fitted(rule), unlabelled, adaptation=ADAPTATION)
    field = other(60, ((60, 70, 27), (140, 70, 25)))
    found = boxes(adapted.find(field.image, um_per_pixel=None, seed=0))
    assert found.shape == field.boxes.shape
    assert np.abs(found - field.boxes).max() <= 5
    assert adapted.rule.provenance["adapted_to_fields"] == 5
    assert adapted.rule.cell_px > 1.3 * rule.cell_px


def test_fields_without_cells_leave_the_rule_as_it_is(rule):
    empty = [a_field(seed, cells=()) for seed in range(3)]
    assert adapt_rule(fitted(rule), empty, adaptation=ADAPTATION).rule is rule


def test_inside_is_the_ellipse_and_outside_no_box():
    box = np.array([[2.0, 3.0, 12.0, 9.0]])
    cell, rest = inside((20, 20), box), outside((20, 20), box)
    assert cell.sum() == pytest.approx(np.pi / 4 * 10 * 6, rel=0.06)
    assert rest.sum() == 400 - 60
    assert not (cell & rest).any()
