"""Figures are deterministic, small, whole or absent, and show names and numbers as they are."""

import os
import re
import subprocess
import sys
from itertools import pairwise
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mk11.evaluation.figures import confusion_matrix, learning_curves, precision_recall
from mk11.evaluation.figures.canvas import page, plain, thinned
from mk11.evaluation.figures.confusion import counted
from mk11.metrics.final import OVERALL, classification_metrics

HOSTILE = "<script>alert(1)</script> $x$"
LIMIT = 300_000  # bytes
SVG = "{http://www.w3.org/2000/svg}"
OF_PREDICTIONS = pytest.mark.parametrize("draw", [confusion_matrix, precision_recall])


def predictions(support, *, skill=2.0, seed=0):
    """Probabilities of a so-so classifier, and labels with `support` images a class."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(support)), support)
    logits = generator.normal(size=(len(labels), len(support)))
    logits[np.arange(len(labels)), labels] += skill
    odds = np.exp(logits)
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32), labels


def history(epochs):
    columns = ["train/loss", "val/loss", *(f"val/{name}" for name in OVERALL), "lr", "data_wait", "seconds"]
    values = np.random.default_rng(0).uniform(0.1, 0.9, size=(epochs, len(columns)))
    return pd.DataFrame({"epoch": np.arange(epochs), **dict(zip(columns, values.T, strict=True))})


def texts(path):
    """Every text of a figure, in the order drawn; parsing fails unless the file is XML."""
    return ["".join(node.itertext()) for node in ElementTree.parse(path).iter(f"{SVG}text")]


@OF_PREDICTIONS
def test_the_same_predictions_give_the_same_bytes_whatever_the_user_has_set(draw, tmp_path):
    probabilities, labels = predictions([40, 7, 2])
    draw(probabilities, labels, ("a", "b", "c"), tmp_path / "first.svg")
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.facecolor": "red"}):
        draw(probabilities, labels, ("a", "b", "c"), tmp_path / "second.svg")
        assert matplotlib.rcParams["font.size"] == 30
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()


def test_another_process_draws_the_same_learning_curves(tmp_path):
    history(5).to_csv(tmp_path / "metrics.csv", index=False)
    program = (
        "import sys, pandas, pathlib; from mk11.evaluation.figures import learning_curves; "
        "history, path = pandas.read_csv(sys.argv[1]), pathlib.Path(sys.argv[2]); "
        "learning_curves(history, path, best_epoch=3, monitor='pr_auc')"
    )
    for seed in ("1", "2"):
        command = [sys.executable, "-c", program, tmp_path / "metrics.csv", tmp_path / f"{seed}.svg"]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed})
    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()


@OF_PREDICTIONS
def test_a_hostile_class_name_stays_text(draw, tmp_path):
    draw(*predictions([20, 9]), (HOSTILE, "b"), tmp_path / "figure.svg")
    assert HOSTILE.replace(" ", "") in "".join(texts(tmp_path / "figure.svg")).replace(" ", "")
    assert not list(ElementTree.parse(tmp_path / "figure.svg").iter(f"{SVG}script"))


@OF_PREDICTIONS
@pytest.mark.parametrize(
    "name", ["\x00\x1b[31m", "\udcff\ud800", "--> ]]> &amp; \"'", "巨核细胞", "\n\t", "x_" * 90]
)
def test_any_class_name_gives_xml(draw, name, tmp_path):
    draw(*predictions([20, 9]), (name, "b"), tmp_path / "figure.svg")
    assert "b" in texts(tmp_path / "figure.svg")


@settings(max_examples=200)
@given(st.text(st.characters(codec=None), max_size=80), st.integers(5, 40))
def test_a_plain_name_is_one_short_line_of_xml(name, limit):
    shown = plain(name, limit=limit)
    assert len(shown) <= limit
    assert len(shown.split("\n")) == 1
    ElementTree.fromstring(f"<a>{shown.replace('&', '').replace('<', '')}</a>".encode())


@OF_PREDICTIONS
@pytest.mark.parametrize("skill", [0.0, 2.0])
def test_eighteen_classes_and_ten_thousand_images_stay_small(draw, skill, tmp_path):
    classes = [f"lymphocyte_large_granular_{index}" for index in range(18)]
    draw(*predictions([556] * 18, skill=skill), classes, tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").stat().st_size < LIMIT


def test_a_thousand_epochs_stay_small(tmp_path):
    learning_curves(history(1000), tmp_path / "figure.svg", best_epoch=900, monitor="pr_auc")
    assert (tmp_path / "figure.svg").stat().st_size < LIMIT


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 300), st.floats(0.001, 0.1))
def test_no_point_left_out_is_far_from_the_thinned_line(seed, points, tolerance):
    steps = np.random.default_rng(seed).normal(size=(points, 2))
    curve = steps.cumsum(axis=0) / points
    kept = thinned(curve, tolerance=tolerance)
    assert (kept[[0, -1]] == curve[[0, -1]]).all()
    dense = np.concatenate([np.linspace(a, b, 200) for a, b in pairwise(kept)])
    gaps = np.abs(dense[1:] - dense[:-1]).sum(axis=1).max()
    nearest = [np.hypot(*(dense - point).T).min() for point in curve]
    assert max(nearest) <= tolerance + gaps


def test_thinning_keeps_the_corners_of_a_staircase_and_nothing_else():
    steps = np.repeat(np.arange(6), 2)
    corners = np.stack([steps[1:], steps[:-1]], axis=1) / 5
    fine = np.concatenate([np.linspace(a, b, 50) for a, b in pairwise(corners)])
    assert len(thinned(fine, tolerance=1e-3)) == len(corners)


def test_counts_are_those_of_a_loop_over_images():
    probabilities, labels = predictions([30, 0, 12, 5])
    expected = np.zeros((4, 4), dtype=int)
    for scores, label in zip(probabilities, labels, strict=True):
        expected[label, scores.argmax()] += 1
    np.testing.assert_array_equal(counted(probabilities, labels), expected)


def test_the_matrix_shows_counts_shares_and_recall(tmp_path):
    taken_for = np.array([0] * 150 + [1] * 50 + [1] * 3 + [0])
    labels = np.array([0] * 200 + [1] * 4)
    confusion_matrix(np.eye(2, dtype=np.float32)[taken_for], labels, ("a", "b"), tmp_path / "figure.svg")
    shown = texts(tmp_path / "figure.svg")
    assert {"150", "50", "3", "1", "75", "25", "0.750", "200", "4"} <= set(shown)


def test_rare_confusions_show_and_zeros_do_not(tmp_path):
    taken_for = np.array([0] * 299 + [1] + [1] * 7)
    labels = np.array([0] * 300 + [1] * 7)
    confusion_matrix(np.eye(2, dtype=np.float32)[taken_for], labels, ("a", "b"), tmp_path / "figure.svg")
    shown = texts(tmp_path / "figure.svg")
    assert "<1" in shown
    assert "0" not in shown


@pytest.mark.parametrize("support", [[30, 0, 12], [0, 8, 0]])
def test_an_absent_class_has_no_recall_and_an_empty_panel(support, tmp_path):
    probabilities, labels = predictions(support)
    classes, absent = ("a", "b", "c"), support.count(0)
    confusion_matrix(probabilities, labels, classes, tmp_path / "matrix.svg")
    precision_recall(probabilities, labels, classes, tmp_path / "curves.svg")
    assert texts(tmp_path / "matrix.svg").count("\N{EN DASH}") == absent
    assert texts(tmp_path / "curves.svg").count("no image") == absent
    assert texts(tmp_path / "curves.svg").count("PR-AUC undefined, n = 0") == absent


@pytest.mark.parametrize("support", [[13, 5], [9, 3, 1], [20] * 5, [7, 2] * 9])
def test_each_class_shows_the_area_and_support_of_the_metrics(support, tmp_path):
    probabilities, labels = predictions(support)
    classes = [f"class {index}" for index in range(len(support))]
    precision_recall(probabilities, labels, classes, tmp_path / "figure.svg")
    metrics = classification_metrics(probabilities, labels, classes)["per_class"]
    expected = [f"PR-AUC {values['pr_auc']:.3f}, n = {values['support']}" for values in metrics.values()]
    assert [text for text in texts(tmp_path / "figure.svg") if text.startswith("PR-AUC")] == expected


def test_each_metric_shows_its_value_at_the_best_epoch_the_monitored_first(tmp_path):
    table = history(8)
    learning_curves(table, tmp_path / "figure.svg", best_epoch=5, monitor="f1_macro")
    shown = [text for text in texts(tmp_path / "figure.svg") if re.match(r"\d\.\d{3}  ", text)]
    assert sorted(shown) == sorted(f"{table[f'val/{name}'][5]:.3f}  {name}" for name in OVERALL)
    assert shown[0].endswith("f1_macro")


def test_a_single_epoch_is_a_dot_on_one_tick(tmp_path):
    learning_curves(history(1), tmp_path / "figure.svg", best_epoch=0, monitor="pr_auc")
    drawn = (tmp_path / "figure.svg").read_text()
    ticks = re.findall(r'<g id="xtick_\d+">', drawn)
    assert len(ticks) == 3  # one in each of three panels
    assert f"0.{round(1000 * history(1)['val/pr_auc'][0]):03d}  pr_auc" in texts(tmp_path / "figure.svg")


@pytest.mark.parametrize("columns", [["epoch"], ["epoch", "val/loss"], ["epoch", "val/pr_auc", "train/loss"]])
def test_absent_columns_are_left_out(columns, tmp_path):
    learning_curves(history(3)[columns], tmp_path / "figure.svg", best_epoch=1, monitor="pr_auc")
    shown = texts(tmp_path / "figure.svg")
    assert "Learning rate" not in shown
    assert ("training" in shown) == ("train/loss" in columns)


def test_an_undefined_metric_is_called_so(tmp_path):
    table = history(3).assign(**{"val/auroc_macro": np.nan})
    learning_curves(table, tmp_path / "figure.svg", best_epoch=1, monitor="loss")
    assert "undefined  auroc_macro" in texts(tmp_path / "figure.svg")


def test_a_failed_drawing_leaves_the_old_figure_and_nothing_else(tmp_path):
    path = tmp_path / "figure.svg"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), page(path, width=2, height=2, title="x"):
        _ = 1 / 0
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["figure.svg"]


def test_no_figure_carries_a_date(tmp_path):
    precision_recall(*predictions([5, 5]), ("a", "b"), tmp_path / "figure.svg")
    assert "dc:date" not in (tmp_path / "figure.svg").read_text()
