"""What is drawn over folds is what a slower second way computes, and each drawn number is a computed one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.metrics import auc, confusion_matrix

from mk11.evaluation.calibration import fit_temperature, tempered
from mk11.evaluation.selective import area_under_coverage_risk, coverage_risk
from mk11.evaluation.statistics.sets import FoldPredictions
from mk11.evaluation.statistics.summary import over_folds
from mk11.metrics.final import trapezoid_pr_auc
from mk11.report.figures.bands import history_band, precision_at, precision_band, risk_at, risk_band
from mk11.report.figures.curves import argmax_decision, precision_recall_over_folds
from mk11.report.figures.learning import learning_over_folds
from mk11.report.figures.matrices import (
    difference_of_confusions,
    difference_of_shares,
    pooled_confusion,
    pooled_counts,
    signed,
)
from mk11.report.figures.trust import (
    bins_of_folds,
    coverage_risk_over_folds,
    reliability_over_folds,
    tempered_folds,
)

CLASSES = ("a", "b", "c")


@pytest.fixture
def drawn(monkeypatch):
    """Every figure that was saved, as matplotlib has it."""
    figures = {}
    save = Figure.savefig

    def keep(figure, path, **options):
        figures[options["metadata"]["Title"]] = figure
        return save(figure, path, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def fold(number, support=(60, 30, 12), *, seeds=1, skill=1.5):
    """Predictions of so-so classifiers."""
    generator = np.random.default_rng(number)
    labels = np.repeat(np.arange(len(support)), support)
    logits = generator.normal(size=(seeds, len(labels), len(support)))
    logits[:, np.arange(len(labels)), labels] += skill
    odds = np.exp(logits)
    names = np.array([f"{number}-{image}" for image in range(len(labels))])
    return FoldPredictions(
        fold=number,
        seeds=tuple(range(seeds)),
        probabilities=(odds / odds.sum(axis=2, keepdims=True)).astype(np.float32),
        labels=labels,
        groups=np.full(len(labels), ""),
        ids=names,
        classes=CLASSES[: len(support)],
        train_images=300,
    )


def folds(**options):
    return [fold(number, **options) for number in range(5)]


def texts(axes):
    return [text.get_text() for text in axes.texts if text.get_text()]


def line_of(axes, label):
    return next(line for line in axes.lines if line.get_label() == label).get_xydata()


def test_precision_is_read_on_straight_lines_between_the_points_of_the_curve():
    scores, positive = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])
    found = precision_at(np.array([0.25, 0.75]), scores, positive)
    np.testing.assert_allclose(found, [1.0, (1 / 2 + 2 / 3) / 2])  # by hand: (0.5, 1/2) to (1, 2/3)


def test_the_area_under_the_mean_curve_is_the_mean_of_the_folds_areas():
    found = folds(seeds=2)
    for label in range(3):
        areas = [
            np.mean([trapezoid_pr_auc(scores[:, label], one.labels == label) for scores in one.probabilities])
            for one in found
        ]
        band = precision_band(found, label)
        assert auc(band.x, band.mean) == pytest.approx(np.mean(areas), abs=0.004)
        for curve, area in zip(band.curves, areas, strict=True):
            assert auc(band.x, curve) == pytest.approx(area, abs=0.01)


def test_seeds_are_averaged_within_their_fold():
    both = fold(0, seeds=2)
    alone = [precision_at(precision_band([both], 0).x, s[:, 0], both.labels == 0) for s in both.probabilities]
    np.testing.assert_allclose(precision_band([both], 0).curves, [np.mean(alone, axis=0)])


def test_a_fold_without_the_class_has_no_curve():
    found = [fold(0), fold(1, (20, 5, 0)), fold(2)]
    assert len(precision_band(found, 2).curves) == 2
    assert precision_band(found[1:2], 2) is None


def test_the_drawn_band_reaches_from_the_lowest_to_the_highest_fold(drawn, tmp_path):
    found = folds()
    areas = {name: over_folds({(number, 0): 0.5 + number / 10 for number in range(5)}) for name in CLASSES}
    precision_recall_over_folds(found, areas, tmp_path / "figure.svg", name="x")
    axes = drawn["Precision-recall over folds"].axes[1]
    band = precision_band(found, 1)
    edge = axes.patches[0].get_xy()
    for x, heights in list(zip(band.x, band.curves.T, strict=True))[1:-1]:
        assert _heights(edge, x) == pytest.approx((max(heights), min(heights)), abs=0.004)
    assert line_of(axes, "argmax by fold").tolist() == [list(argmax_decision(one, 1)) for one in found]
    assert texts(axes)[0] == "0.700 ± 0.158, n = 150"


def _heights(polygon, x):
    """Highest and lowest point of a polygon's outline at `x`."""
    heights = [
        a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0])
        for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True)
        if a[0] != b[0] and min(a[0], b[0]) <= x <= max(a[0], b[0])
    ]
    return max(heights), min(heights)


def test_the_operating_point_is_recall_and_precision_of_the_most_probable_class():
    one = fold(3)
    predicted = one.probabilities[0].argmax(axis=1)
    hits = ((predicted == 2) & (one.labels == 2)).sum()
    assert argmax_decision(one, 2) == (hits / 12, hits / (predicted == 2).sum())


def test_risk_is_that_of_the_curve_whose_area_is_reported():
    one = fold(0)
    curve = coverage_risk(one.probabilities[0], one.labels)
    fine = (np.arange(100_000) + 0.5) / 100_000
    area = area_under_coverage_risk(one.probabilities[0], one.labels)
    assert risk_at(fine, *curve).mean() == pytest.approx(area, abs=1e-4)


def test_at_full_coverage_the_risk_is_the_mean_error(drawn, tmp_path):
    found = folds()
    coverage_risk_over_folds(found, over_folds({(0, 0): 0.25}), tmp_path / "figure.svg", name="x")
    axes = drawn["Coverage and risk over folds"].axes[0]
    errors = [np.mean(one.probabilities[0].argmax(axis=1) != one.labels) for one in found]
    assert axes.lines[0].get_xydata()[-1] == pytest.approx([1.0, np.mean(errors)])
    assert risk_band(found).curves[:, -1] == pytest.approx(errors)
    assert axes.get_title(loc="left") == "Area under the curve 0.250"


def test_learning_curves_average_seeds_then_folds_over_common_epochs(drawn, tmp_path):
    histories = {
        (0, 0): pd.DataFrame({"epoch": [1, 2, 3], "val/loss": [4.0, 2.0, 9.0], "val/f1": [0.1, 0.2, 0.3]}),
        (0, 1): pd.DataFrame({"epoch": [1, 2], "val/loss": [2.0, 2.0], "val/f1": [0.3, 0.4]}),
        (1, 0): pd.DataFrame({"epoch": [1, 2], "val/loss": [9.0, 4.0], "val/f1": [0.6, 0.5]}),
    }
    band = history_band(histories, "val/loss")
    assert band.x.tolist() == [1, 2]
    assert band.curves.tolist() == [[3.0, 2.0], [9.0, 4.0]]
    assert history_band(histories, "train/loss") is None
    best = {(0, 0): 3, (0, 1): 2, (1, 0): 1}
    learning_over_folds(histories, best, ["f1"], tmp_path / "figure.svg", name="x")
    loss, metric = drawn["Learning curves over folds"].axes
    assert line_of(loss, "validation").tolist() == [[1, 6], [2, 3]]
    assert line_of(metric, "best epoch of a fold").tolist() == [[3, 0.3], [2, 0.4], [1, 0.6]]


def test_pooled_counts_are_those_of_all_images_together(drawn, tmp_path):
    found = folds()
    labels = np.concatenate([one.labels for one in found])
    predicted = np.concatenate([one.probabilities[0].argmax(axis=1) for one in found])
    expected = confusion_matrix(labels, predicted)
    np.testing.assert_array_equal(pooled_counts(found), expected)
    pooled_confusion(found, tmp_path / "figure.svg", name="x")
    shown = texts(drawn["Confusion matrix over folds"].axes[0])
    assert shown == [str(count) for count in expected.flat if count]


def test_pooled_counts_of_two_seeds_are_their_mean():
    both = [fold(number, seeds=2) for number in range(3)]
    alone = [
        sum(confusion_matrix(one.labels, one.probabilities[seed].argmax(axis=1)) for one in both)
        for seed in (0, 1)
    ]
    np.testing.assert_allclose(pooled_counts(both), (alone[0] + alone[1]) / 2)


def test_the_difference_is_in_percentage_points_of_the_true_class(drawn, tmp_path):
    a, b = folds(skill=3.0), folds(skill=1.0)
    shares = [
        confusion_matrix(
            np.concatenate([one.labels for one in side]),
            np.concatenate([one.probabilities[0].argmax(axis=1) for one in side]),
            normalize="true",
        )
        for side in (a, b)
    ]
    points = difference_of_shares(a, b)
    np.testing.assert_allclose(points, 100 * (shares[0] - shares[1]))
    np.testing.assert_allclose(points.sum(axis=1), 0, atol=1e-9)
    difference_of_confusions(a, b, tmp_path / "figure.svg", names=("one", "other"))
    figure = drawn["Difference of two confusion matrices"]
    assert texts(figure.axes[0]) == [signed(value) for value in points.flat if round(value)]
    red, _, blue, _ = figure.axes[0].collections[0].get_facecolor()[0]
    assert points[0, 0] > 0
    assert blue > red


def test_a_difference_that_rounds_to_nothing_is_left_blank():
    assert [signed(value) for value in (2.6, -0.4, 0.0, -12.2)] == ["+3", "", "", "\N{MINUS SIGN}12"]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 2))
def test_bins_hold_the_images_of_a_slow_loop(number, seeds):
    one = fold(number, seeds=seeds)
    confidence, accuracy, counts = (part[0] for part in bins_of_folds([one], [one.probabilities]))
    places = [[] for _ in counts]
    for scores in one.probabilities:
        for image, label in zip(scores.astype(float), one.labels, strict=True):
            place = max(0, int(np.ceil(image.max() * len(counts) - 1e-12)) - 1)
            places[place].append((image.max(), image.argmax() == label))
    np.testing.assert_allclose(counts * seeds, [len(found) for found in places])
    for bin_, found in enumerate(places):
        expected = np.mean(found, axis=0) if found else (0, 0)
        assert (confidence[bin_], accuracy[bin_]) == pytest.approx(tuple(expected))


def test_each_fold_is_tempered_by_its_own_validation_images():
    test, val = folds(), [fold(number + 50, skill=number) for number in range(5)]
    for one, known, found in zip(test, val, tempered_folds(test, val), strict=True):
        temperature = fit_temperature(known.probabilities[0], known.labels)
        np.testing.assert_allclose(found[0], tempered(one.probabilities[0], temperature))


def test_the_reliability_line_pools_the_images_of_all_folds(drawn, tmp_path):
    test, val = folds(), [fold(number + 50) for number in range(5)]
    told = {"ece": over_folds({(0, 0): 0.125}), "ece_tempered": over_folds({(0, 0): 0.0625})}
    reliability_over_folds(test, val, told, tmp_path / "figure.svg", name="x")
    before, after, bars, _ = drawn["Reliability over folds"].axes
    scores = np.concatenate([one.probabilities[0] for one in test])
    labels = np.concatenate([one.labels for one in test])
    place = np.ceil(scores.max(axis=1) * 15 - 1e-12).astype(int)
    right = scores.argmax(axis=1) == labels
    expected = [right[place == bin_].mean() for bin_ in np.unique(place)]
    assert line_of(before, "all folds")[:, 1] == pytest.approx(expected)
    assert sum(bar.get_height() for bar in bars.patches) == pytest.approx(100)
    assert (texts(before), texts(after)) == (["ECE 0.125"], ["ECE 0.062"])


def test_one_fold_alone_has_a_curve_and_no_band(drawn, tmp_path):
    precision_recall_over_folds([fold(0)], {}, tmp_path / "figure.svg", name="x")
    axes = drawn["Precision-recall over folds"].axes[0]
    assert not axes.patches
    assert len(line_of(axes, "precision-recall curve")) > 2
