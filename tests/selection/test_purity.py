"""The report of a selection by hand, and what the terminal shows of it."""

import io
import json

import numpy as np
import pytest
from rich.console import Console
from selection_crops import CLASSES, candidates, labelled, names, rules
from sklearn.metrics import adjusted_rand_score

from mk11.selection.purity import agreement, kind_table, prototype_table, purity_report
from mk11.selection.purity_table import print_purity
from mk11.selection.strategies.activessf import ActiveSSF
from mk11.selection.strategies.base import Candidates, Labelled

KINDS = ["MMK", "MMK", "", "G-MK", "MMK"]


@pytest.fixture
def selection():
    """Prototypes at 0 and 10, thresholds 1 and 3; the second candidate and the fourth are beyond."""
    return ActiveSSF(**rules()).selection(
        candidates(0.5, 1.5, 7.5, 6.0, 11.0), labelled(), budget=None, seed=0
    )


def printed(report):
    console = Console(file=io.StringIO(), width=200)
    print_purity(console, report)
    return console.file.getvalue()


def test_each_prototype_tells_whom_it_admits(selection):
    rows = prototype_table(selection).to_dict("records")
    assert [row["subtype"] for row in rows] == list(CLASSES)
    assert [(row["candidates"], row["within"], row["admitted"]) for row in rows] == [(2, 1, 1), (3, 2, 2)]
    assert [(row["size"], row["purity"]) for row in rows] == [(3, 1.0), (2, 1.0)]
    assert [(row["least"], row["most"], row["threshold"]) for row in rows] == [(1, 2, 1), (3, 3, 3)]


def test_a_prototype_without_candidates_has_its_row():
    found = ActiveSSF(**rules()).selection(candidates(0.5), labelled(), budget=None, seed=0)
    assert prototype_table(found)["candidates"].tolist() == [1, 0]


def test_each_true_kind_tells_its_share(selection):
    table = kind_table(selection, KINDS).set_index("kind")
    assert table.loc["MMK", ["candidates", "admitted"]].tolist() == [3, 2]
    assert table["share"].to_dict() == pytest.approx({"": 1.0, "G-MK": 0.0, "MMK": 2 / 3})


def test_agreement_is_one_for_the_classes_and_falls_with_a_stray(selection):
    labels = np.array([0, 0, 0, 1, 1])
    perfect = dict.fromkeys(("purity", "adjusted_rand", "homogeneity", "completeness"), 1.0)
    assert agreement(selection.prototypes, labels) == pytest.approx(perfect)
    strayed = np.array([0, 0, 1, 1, 1])
    found = agreement(selection.prototypes, strayed)
    assert found["purity"] == pytest.approx(4 / 5)
    assert found["adjusted_rand"] == pytest.approx(adjusted_rand_score(strayed, [0, 0, 0, 1, 1]))
    assert 0 < found["homogeneity"] < 1


def test_one_cluster_for_all_agrees_no_more_than_chance():
    labels = labelled()
    one = {"method": "kmeans", "clusters": 1}
    found = ActiveSSF(**rules(one)).selection(candidates(1), labels, budget=None, seed=0)
    assert agreement(found.prototypes, labels.labels)["adjusted_rand"] == 0
    assert agreement(found.prototypes, labels.labels)["homogeneity"] == 0


def test_the_report_is_plain_data(selection):
    report = purity_report(selection, labelled().labels, kinds=KINDS)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert (report["candidates"], report["admitted"]) == (5, 3)
    assert report["reasons"] == {"beyond the threshold": 2}


def test_labels_may_come_in_any_order(selection):
    given = labelled()
    order = np.array([4, 2, 0, 3, 1])
    other = Labelled(
        [given.hashes[row] for row in order], given.features[order], given.labels[order], CLASSES
    )
    found = ActiveSSF(**rules()).selection(candidates(0.5, 1.5, 7.5, 6.0, 11.0), other, budget=None, seed=0)
    one = purity_report(selection, given.labels, kinds=None)
    assert purity_report(found, other.labels, kinds=None) == one


def test_the_terminal_shows_prototypes_kinds_and_agreement(selection):
    text = printed(purity_report(selection, labelled().labels, kinds=KINDS))
    lines = [line.split() for line in text.splitlines()]
    assert ["1", "granular", "100.0", "%", "2", "3", "3", "2", "2", "66.7", "%"] in lines
    assert ["MMK", "3", "2", "66.7", "%"] in lines
    assert ["unknown", "1", "1", "100.0", "%"] in lines
    assert "admitted: 3 of 5 candidates; 2 beyond the threshold" in text
    assert "adjusted Rand index 1.00" in text
    assert "careful: prototype 1 is of 2 labelled crops only" in text


def test_a_threshold_of_0_is_told():
    lone = Labelled(names(3, "l"), np.array([[0.0], [1.0], [9.0]], np.float32), np.array([0, 0, 1]), CLASSES)
    found = ActiveSSF(**rules()).selection(
        Candidates(["a"], np.array([[8.0]], np.float32)), lone, budget=None, seed=0
    )
    text = printed(purity_report(found, lone.labels, kinds=None))
    assert "careful: prototype 1 has the threshold 0 (1 labelled" in text
    assert "true kind" not in text


def test_names_from_files_do_not_steer_the_terminal(selection):
    report = purity_report(selection, labelled().labels, kinds=["\x1b[31m[red]", "", "", "", ""])
    text = printed(report)
    assert "\x1b" not in text
    assert "?[31m[red]" in text
