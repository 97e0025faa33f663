import re

import numpy as np
import pytest
from comparison_words import CELLS, FEW, line_with, numbers, predicted, predictions_of
from run_folders import Cells, write_run
from scipy import stats
from sklearn.metrics import f1_score

from mk11.compare.classes import by_class
from mk11.compare.sides import sides
from mk11.evaluation.statistics.bootstrap import METRICS


def test_the_difference_its_folds_and_its_t_test_are_those_of_scikit_learn_and_scipy(runs, compare):
    out, err, code = compare("convnext", "vit", "--runs", runs, FEW)
    assert (code, err) == (0, "")
    scores = [
        [
            f1_score(table["label"], predicted(table), average="macro", zero_division=0)
            for table in found.values()
        ]
        for found in (predictions_of(runs, "convnext"), predictions_of(runs, "vit"))
    ]
    a, b = 100 * np.array(scores)
    assert numbers(line_with(out, "f1_macro of A"))[:2] == pytest.approx([a.mean(), a.std(ddof=1)], abs=0.006)
    assert numbers(line_with(out, "f1_macro of B"))[:2] == pytest.approx([b.mean(), b.std(ddof=1)], abs=0.006)
    difference, low, high = numbers(next(line for line in out.splitlines() if line.startswith("A - B")))
    assert difference == pytest.approx((a - b).mean(), abs=0.006)
    assert low < difference < high
    t, p = stats.ttest_rel(a, b)
    told = line_with(out, "p, paired t-test")
    assert f"t(4) = {t:.2f}" in told
    assert f"{p:.3f}" in told or (p < 0.001 and "below 0.001" in told)
    rows = [line.split() for line in out.splitlines() if re.match(r" \d  ", line)]
    assert np.array(rows, float) == pytest.approx(np.column_stack([range(5), a, b, a - b]), abs=0.006)
    assert "p, corrected t-test" in out
    assert "smallest detectable" in out


def test_classes_stand_side_by_side_with_an_interval_of_each_difference(runs, compare):
    pair = sides(("convnext", "vit"), [runs])
    rows = by_class(pair, draws=100, seed=0, level=0.95)
    assert [(row.subtype, row.measure) for row in rows[:3]] == [
        ("blast", "pr_auc"),
        ("blast", "f1"),
        ("granular", "pr_auc"),
    ]
    assert [row.images for row in rows[::2]] == list(CELLS.images)
    a, b = predictions_of(runs, "convnext"), predictions_of(runs, "vit")
    for place, row in enumerate(rows[1::2]):
        expected = [
            np.mean(
                [
                    f1_score(table["label"], predicted(table), labels=[place], average=None)
                    for table in side.values()
                ]
            )
            for side in (a, b)
        ]
        assert row.values == pytest.approx(expected)
        assert row.interval.estimate == pytest.approx(expected[0] - expected[1])
        assert row.interval.low <= row.interval.estimate <= row.interval.high
    out, _, _ = compare("convnext", "vit", "--runs", runs, FEW)
    told = numbers(line_with(out, "granular", "45"))
    assert told[2] == pytest.approx(100 * rows[2].interval.estimate, abs=0.006)


@pytest.mark.parametrize("metric", [*METRICS, "recall:naked"])
def test_every_metric_can_be_compared_and_agrees_with_the_folds_below(metric, runs, compare):
    out, _, code = compare("convnext", "vit", "--runs", runs, "--draws=20", "--metric", metric)
    assert code == 0
    a, b = (numbers(line_with(out, f"{metric} of {letter}"))[0] for letter in "AB")
    difference = numbers(next(line for line in out.splitlines() if line.startswith("A - B")))[0]
    assert difference == pytest.approx(a - b, abs=0.011)


def test_a_class_without_test_images_has_no_value_and_stops_nothing(tmp_path, compare):
    for model in ("a", "b"):
        write_run(tmp_path, model=model, cells=Cells(images=(60, 45, 30, 0), patients=60))
    out, _, code = compare("a", "b", "--runs", tmp_path, FEW)
    assert code == 0
    assert line_with(out, "hyperlobulated", " - ")


def test_a_comparison_of_the_other_side_is_the_same_with_the_other_sign(runs, compare):
    out, _, _ = compare("convnext", "vit", "--runs", runs, FEW)
    swapped, _, _ = compare("vit", "convnext", "--runs", runs, FEW)
    (difference, low, high), (other, other_low, other_high) = (
        numbers(next(line for line in text.splitlines() if line.startswith("A - B")))
        for text in (out, swapped)
    )
    assert (difference, low, high) == pytest.approx((-other, -other_high, -other_low), abs=0.011)
