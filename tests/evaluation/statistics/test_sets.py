import numpy as np
import pandas as pd
import pytest
from run_folders import Cells, write_run, write_runs

from mk11.errors import UserError
from mk11.evaluation.predictions import read_predictions, write_predictions
from mk11.evaluation.statistics.bootstrap import interval
from mk11.evaluation.statistics.comparison import compare
from mk11.evaluation.statistics.sets import load_final, load_folds
from mk11.files import read_json, write_json
from mk11.runs.configurations import group_runs
from mk11.runs.ledger import find_runs

SMALL = Cells(images=(30, 20, 15, 10), patients=15)


def configurations(root):
    runs, problems = find_runs([root])
    assert not problems
    return group_runs(runs)


def change(path, edit):
    table, classes = read_predictions(path / "predictions.parquet")
    write_predictions(path / "predictions.parquet", edit(table), classes)


def test_folds_are_numbered_and_their_seeds_stacked(tmp_path):
    write_runs(
        tmp_path, models={"vit": 1.5}, seeds=(1, 0), missing=[("vit", 3, 1), ("vit", 2, 0)], cells=SMALL
    )
    (found,) = configurations(tmp_path)
    folds = load_folds(found)
    assert [(fold.fold, fold.seeds) for fold in folds] == [
        (0, (0, 1)),
        (1, (0, 1)),
        (2, (1,)),
        (3, (0,)),
        (4, (0, 1)),
    ]
    assert folds[0].probabilities.shape == (2, 15, 4)
    assert folds[0].train_images == 45
    assert folds[0].name == found.label


def test_stored_metrics_are_those_of_the_loaded_predictions(tmp_path):
    write_runs(tmp_path, models={"vit": 1.5}, cells=SMALL)
    (found,) = configurations(tmp_path)
    for split in ("test", "val"):
        mean = np.mean([run.metrics[split]["pr_auc"] for run in found.finished])
        folds = load_folds(found, split=split)
        assert interval(folds, "pr_auc", draws=2, seed=0, level=0.95).estimate == pytest.approx(mean)
    last = np.mean([run.metrics["last"]["test"]["f1_macro"] for run in found.finished])
    folds = load_folds(found, checkpoint="last")
    assert interval(folds, "f1_macro", draws=2, seed=0, level=0.95).estimate == pytest.approx(last)


def test_rows_are_aligned_by_content_whatever_their_order_in_the_file(tmp_path):
    paths = write_runs(tmp_path, models={"vit": 1.5, "vgg": 1.0}, folds=(0, 1), seeds=(0, 1), cells=SMALL)
    before = [load_folds(found) for found in configurations(tmp_path)]
    change(paths[1], lambda table: table.sample(frac=1, random_state=0))
    after = [load_folds(found) for found in configurations(tmp_path)]
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(old[0].probabilities, new[0].probabilities)
        assert np.array_equal(old[0].ids, new[0].ids)
    assert compare(*after, metric="accuracy", draws=20, seed=0, level=0.95).folds == (0, 1)


def test_equal_contents_are_told_apart_by_their_id(tmp_path):
    (path,) = write_runs(tmp_path, models={"vit": 1.5}, folds=(0,), cells=SMALL)
    change(path, lambda table: table.assign(content_hash="0" * 16).iloc[::-1])
    ids = load_folds(configurations(tmp_path)[0])[0].ids
    assert ids.tolist() == sorted(ids.tolist())


def test_a_final_run_stands_apart_from_the_folds(tmp_path):
    write_runs(tmp_path, models={"vit": 1.5}, folds=(0, 1), cells=SMALL)
    (found,) = configurations(tmp_path)
    assert load_final(found) is None
    write_run(tmp_path, model="vit", fold="final", quality=1.5, cells=SMALL)
    (found,) = configurations(tmp_path)
    assert [fold.fold for fold in load_folds(found)] == [0, 1]
    assert load_final(found).fold == "final"


def test_unknown_patients_are_empty_words(tmp_path):
    write_runs(tmp_path, models={"vit": 1.5}, folds=(0,), cells=Cells(images=(20, 20, 20, 10), patients=0))
    (fold,) = load_folds(configurations(tmp_path)[0])
    assert set(fold.groups.tolist()) == {""}


def test_seeds_on_different_images_are_refused(tmp_path):
    write_runs(tmp_path, models={"vit": 1.5}, folds=(0,), cells=SMALL)
    (path,) = write_runs(tmp_path, models={"vit": 1.5}, folds=(0,), seeds=(1,), cells=SMALL)
    change(path, lambda table: table.assign(label=(table["label"] + 1) % 4))
    with pytest.raises(
        UserError, match="fold 0 of mk11/vit with seeds 0 and 1 the labels of 15 images differ"
    ):
        load_folds(configurations(tmp_path)[0])


def test_missing_predictions_and_sizes_are_named(tmp_path):
    (path,) = write_runs(tmp_path, models={"vit": 1.5}, folds=(0,), cells=SMALL)
    record = read_json(path / "run.json")
    write_json(path / "run.json", {**record, "data": {**record["data"], "images": {"test": 15}}})
    with pytest.raises(UserError, match=r"run\.json must say how many images"):
        load_folds(configurations(tmp_path)[0])
    with pytest.raises(UserError, match=r"predictions\.parquet must have predictions of best on train"):
        load_folds(configurations(tmp_path)[0], split="train")
    (path / "predictions.parquet").unlink()
    with pytest.raises(UserError, match=r"predictions\.parquet must be a table of predictions"):
        load_folds(configurations(tmp_path)[0])


def test_a_patient_that_is_missing_from_the_table_is_unknown(tmp_path):
    (path,) = write_runs(tmp_path, models={"vit": 1.5}, folds=(0,), cells=SMALL)
    change(path, lambda table: table.assign(group=pd.array([pd.NA] * len(table), dtype="string")))
    assert set(load_folds(configurations(tmp_path)[0])[0].groups.tolist()) == {""}
