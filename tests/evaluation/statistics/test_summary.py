import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_folders import Cells, write_run, write_runs

from mk11.evaluation.statistics.summary import (
    class_groups,
    over_folds,
    summarise,
    summarise_classes,
    summarise_groups,
)
from mk11.runs.configurations import group_runs
from mk11.runs.ledger import find_runs

MK11 = {"MK-blast": 692, "Pro-MK": 506, "G-MK": 1954, "PP-MK": 660, "NN-MK": 623, "N-MK": 548}
MK11 |= {"S-MK": 513, "MMK": 573, "MN-MK": 647, "HL-MK": 141, "CA-MK": 347}


def test_seeds_are_averaged_within_their_fold_before_the_spread_is_taken():
    found = over_folds({(0, 0): 0.5, (0, 1): 0.7, (1, 0): 0.8, (1, 1): 0.8, (2, 0): 0.7, (2, 1): 0.9})
    assert found.values == pytest.approx({0: 0.6, 1: 0.8, 2: 0.8})
    assert found.mean == pytest.approx(2.2 / 3)
    assert found.sd == pytest.approx(np.std([0.6, 0.8, 0.8], ddof=1))
    assert found.seed_sd == pytest.approx((0.2 / np.sqrt(2) + 0 + 0.2 / np.sqrt(2)) / 3)
    assert (found.folds, found.seeds, found.undefined) == (3, 2, 0)


def test_more_seeds_in_a_fold_give_it_no_more_weight():
    one = over_folds({(0, 0): 0.5, (1, 0): 0.9})
    many = over_folds({(0, 0): 0.5, (1, 0): 0.9, (1, 1): 0.9, (1, 2): 0.9})
    assert (many.mean, many.sd, many.seeds) == (one.mean, one.sd, 3)


def test_one_fold_has_no_spread_and_one_seed_no_spread_of_seeds():
    found = over_folds({(3, 0): 0.5})
    assert (found.mean, found.sd, found.seed_sd, found.folds) == (0.5, None, None, 1)


def test_undefined_values_are_left_out_and_counted():
    found = over_folds({(0, 0): None, (0, 1): 0.4, (1, 0): None, (1, 1): None, (2, 0): 0.6})
    assert (found.mean, found.folds, found.undefined) == (pytest.approx(0.5), 2, 3)
    nothing = over_folds({(0, 0): None})
    assert (nothing.mean, nothing.sd, nothing.folds, nothing.undefined) == (None, None, 0, 1)
    assert over_folds({}).mean is None


def test_folds_stand_in_the_order_of_their_numbers():
    found = over_folds({(fold, 0): 0.5 for fold in ("final", 10, 9, 2)})
    assert list(found.values) == [2, 9, 10, "final"]


def test_thirds_of_the_published_classes():
    assert class_groups(MK11) == {
        "head": ["G-MK", "MK-blast", "PP-MK", "MN-MK"],
        "medium": ["NN-MK", "MMK", "N-MK"],
        "tail": ["S-MK", "Pro-MK", "CA-MK", "HL-MK"],
    }


@pytest.mark.parametrize(
    ("classes", "sizes"), [(18, (6, 6, 6)), (2, (1, 0, 1)), (1, (0, 1, 0)), (4, (1, 2, 1)), (5, (2, 1, 2))]
)
def test_thirds_of_other_numbers_of_classes(classes, sizes):
    groups = class_groups({f"c{number:02d}": 100 - number for number in range(classes)})
    assert tuple(map(len, groups.values())) == sizes


def test_equal_counts_are_ranked_by_name_and_have_no_tail_if_all_are_equal():
    assert class_groups({"b": 5, "a": 5, "c": 9}) == {"head": ["c"], "medium": ["a"], "tail": ["b"]}
    assert class_groups({"b": 5, "a": 5, "c": 5}) == {"head": [], "medium": ["a", "b", "c"], "tail": []}


@given(st.dictionaries(st.text(max_size=2), st.integers(0, 50), max_size=20))
def test_every_class_is_in_one_group_and_no_tail_class_is_larger_than_a_head_class(counts):
    groups = class_groups(counts)
    assert sorted(name for part in groups.values() for name in part) == sorted(counts)
    sizes = [[counts[name] for name in groups[part]] for part in ("head", "medium", "tail")]
    ranked = [size for part in sizes for size in part]
    assert ranked == sorted(ranked, reverse=True)


@pytest.fixture(scope="module")
def configuration(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    write_runs(root, models={"vit": 1.5}, seeds=(0, 1), cells=Cells(images=(40, 30, 20, 8)))
    write_run(root, model="vit", fold="final", quality=9.0, cells=Cells(images=(40, 30, 20, 8)))
    runs, problems = find_runs([root])
    assert not problems
    (found,) = group_runs(runs)
    return found


def metrics_of_folds(configuration, split):
    return {(run.fold, run.seed): run.metrics[split] for run in configuration.runs if run.fold != "final"}


def stored(configuration, read):
    """Mean over seeds by fold, then over the numbered folds, straight from the files."""
    by_fold = [[read(run.metrics) for run in configuration.runs if run.fold == fold] for fold in range(5)]
    return [np.mean(values) for values in by_fold]


def test_summaries_of_run_folders(configuration):
    found = summarise(metrics_of_folds(configuration, split="test"))
    folds = stored(configuration, lambda metrics: metrics["test"]["pr_auc"])
    assert found["pr_auc"].mean == pytest.approx(np.mean(folds))
    assert found["pr_auc"].sd == pytest.approx(np.std(folds, ddof=1))
    assert (found["pr_auc"].folds, found["pr_auc"].seeds) == (5, 2)


def test_classes_of_run_folders(configuration):
    metrics = metrics_of_folds(configuration, split="val")
    found = summarise_classes(metrics, configuration.classes)
    folds = stored(configuration, lambda metrics: metrics["val"]["per_class"]["naked"]["f1"])
    assert found["naked"]["f1"].mean == pytest.approx(np.mean(folds))
    assert set(found["naked"]) == {"precision", "recall", "f1", "pr_auc"}


def test_groups_are_averaged_over_their_classes_in_each_run(configuration):
    metrics = metrics_of_folds(configuration, split="test")
    found = summarise_groups(metrics, {"head": ["blast", "granular"], "medium": [], "tail": ["naked"]})
    folds = stored(
        configuration,
        lambda metrics: np.mean([metrics["test"]["per_class"][name]["f1"] for name in ("blast", "granular")]),
    )
    assert found["head"]["f1"].mean == pytest.approx(np.mean(folds))
    assert list(found) == ["head", "tail"]


def test_a_class_without_a_value_is_left_out_of_its_group_and_counted():
    measures = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "pr_auc": 0.5}
    undefined = dict.fromkeys(measures, None)
    metrics = {
        (0, 0): {"per_class": {"a": measures, "b": undefined}},
        (1, 0): {"per_class": {"a": undefined, "b": undefined}},
    }
    found = summarise_groups(metrics, {"tail": ["a", "b"]})["tail"]["f1"]
    assert (found.mean, found.folds, found.undefined) == (0.5, 1, 3)
