import re

import pytest
from comparison_words import CELLS, FEW
from run_folders import Cells, write_run, write_runs


def test_two_runs_of_one_fold_have_an_interval_and_no_t_test(runs, compare):
    folders = [next(runs.glob(f"train/mk11/{model}/fold3*")) for model in ("convnext", "vit")]
    out, _, code = compare(*folders, FEW)
    assert code == 0
    assert "A = mk11/convnext" in out
    assert "fold 3, seed 0" in out
    assert "bootstrap over" in out
    assert "t-test " not in out.split("One fold")[0]
    assert "One fold: nothing is said about other training images, and no t-test is possible." in out


def test_folders_above_runs_keys_and_labels_mean_the_same(runs, compare):
    by_name, _, _ = compare("convnext", "vit", "--runs", runs, FEW)
    key = re.search(r"B = mk11/vit \((\w{8})\)", by_name)[1]
    by_others, _, _ = compare(runs / "train/mk11/convnext", key, "--runs", runs, FEW)
    assert by_others == by_name


def test_two_seeds_of_one_configuration_are_told_apart_by_their_letters(tmp_path, compare):
    a, b = (write_run(tmp_path / f"s{seed}", seed=seed, cells=CELLS) for seed in (0, 1))
    out, _, code = compare(a, b, FEW)
    assert code == 0
    assert f"A = A ({a})" in out
    assert "fold 0, seed 1" in out
    assert "No config key differs." in out


def test_missing_folds_are_refused_by_name(tmp_path, compare):
    write_runs(tmp_path, missing=[("vit", 1, 0), ("vit", 4, 0)], cells=CELLS)
    out, err, code = compare("convnext", "vit", "--runs", tmp_path, FEW)
    assert (out, code) == ("", 2)
    assert "mk11/vit lacks folds 1, 4" in err


def test_other_images_are_refused(tmp_path, compare):
    write_run(tmp_path, model="a", cells=CELLS)
    write_run(tmp_path, model="b", cells=Cells(images=(61, 45, 30, 15), patients=60))
    _, err, code = compare("a", "b", "--runs", tmp_path, FEW)
    assert code == 2
    assert "must be tested on the same images" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("convnext", "convnext"), "A and B must be different runs"),
        (("convnext", "nothing"), "is nothing"),
        (("convnext", "vit", "--metric", "f1"), "f1"),
        (("convnext", "vit", "--metric", "speed"), "the metric must be one of accuracy"),
        (("convnext", "vit", "--metric", "f1:unknown"), "blast"),
        (("convnext", "vit", "--draws", "0"), "at least 1, but is 0"),
    ],
)
def test_what_cannot_be_compared_is_told_in_a_sentence(arguments, told, runs, compare):
    out, err, code = compare(*arguments, "--runs", runs)
    assert (out, code) == ("", 2)
    assert told in err
    assert len(err.splitlines()) == 1


def test_a_folder_of_several_configurations_names_them(runs, compare):
    _, err, code = compare(runs, "vit", "--runs", runs)
    assert code == 2
    assert "must hold runs of one configuration, but holds mk11/convnext" in err


def test_runs_without_a_result_are_refused(tmp_path, compare):
    write_run(tmp_path, model="a", status="failed")
    write_run(tmp_path, model="b", cells=CELLS)
    _, err, code = compare("a", "b", "--runs", tmp_path)
    assert (code, "a must have a finished run, but has none" in err) == (2, True)
    _, err, code = compare(tmp_path / "train/mk11/a", "b", "--runs", tmp_path)
    assert (code, "must hold a finished run" in err) == (2, True)


def test_a_damaged_run_folder_is_named(tmp_path, compare):
    bad = write_run(tmp_path, model="a")
    (bad / "run.json").write_text("{")
    _, err, code = compare(bad, "b", "--runs", tmp_path)
    assert (code, "run.json" in err) == (2, True)


def test_runs_that_are_nowhere_are_told_apart_from_names_that_mean_nothing(tmp_path, compare):
    _, err, code = compare("a", "b", "--runs", tmp_path / "nowhere")
    assert (code, "a is no folder" in err) == (2, True)


def test_predictions_that_are_gone_are_named(tmp_path, compare):
    path = write_run(tmp_path, model="a", cells=CELLS)
    write_run(tmp_path, model="b", cells=CELLS)
    (path / "predictions.parquet").unlink()
    _, err, code = compare("a", "b", "--runs", tmp_path)
    assert (code, "predictions.parquet" in err) == (2, True)


def test_runs_on_the_images_locked_away_are_compared_where_there_is_nothing_else(tmp_path, compare):
    for model in ("a", "b"):
        write_run(tmp_path, model=model, fold="final", cells=CELLS)
    out, _, code = compare("a", "b", "--runs", tmp_path, FEW)
    assert (code, "fold final, seed 0" in out) == (0, True)


def test_a_pre_training_of_the_same_name_is_no_side(tmp_path, compare):
    write_runs(tmp_path / "runs", models={"convnext": 2.0, "vit": 1.0}, cells=CELLS)
    write_runs(tmp_path / "runs", models={"convnext": 2.0}, folds=[0], cells=CELLS, stage="pretrain")
    _, err, code = compare("convnext", "vit", "--runs", tmp_path / "runs")
    assert code == 0, err
