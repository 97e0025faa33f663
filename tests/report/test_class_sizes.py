import json

import numpy as np
import pytest
from run_folders import CLASSES, Cells, write_run, write_runs

from mk11.report.class_sizes import TEST, TRAINING, class_sizes
from mk11.runs.configurations import group_runs
from mk11.runs.ledger import find_runs

UNEVEN = Cells(images=(90, 60, 40, 15))


def configurations(root):
    return group_runs(find_runs([root])[0])


def tell_counts(path, **counts):
    """As newer runs do: training images of each class."""
    record = json.loads((path / "run.json").read_text())
    record["data"]["train_counts"] = counts
    (path / "run.json").write_text(json.dumps(record))


def in_training(fold):
    table = UNEVEN.table(fold)
    table = table[table["split"] == "train"]
    return [int((table["label"] == label).sum()) for label in range(len(CLASSES))]


def test_old_runs_of_all_folds_give_the_training_images_exactly(tmp_path):
    write_runs(tmp_path, models={"a": 1.0}, cells=UNEVEN)
    found = class_sizes(configurations(tmp_path))
    assert found.kind == TRAINING
    expected = np.mean([in_training(fold) for fold in range(5)], axis=0)
    assert list(found.images.values()) == pytest.approx(expected.tolist())


def test_old_runs_of_some_folds_tell_test_images_and_say_so(tmp_path):
    write_runs(tmp_path, models={"a": 1.0}, folds=range(3), cells=UNEVEN)
    found = class_sizes(configurations(tmp_path))
    tested = [json.loads(path.read_text())["test"]["per_class"] for path in tmp_path.rglob("metrics.json")]
    assert found.kind == TEST
    assert found.images == {name: sum(one[name]["support"] for one in tested) for name in CLASSES}


def test_what_runs_tell_is_used_averaged_over_seeds_then_folds(tmp_path):
    counts = {(0, 0): 10, (0, 1): 30, (1, 0): 60}
    for (fold, seed), blasts in counts.items():
        path = write_run(tmp_path, fold=fold, seed=seed)
        tell_counts(path, blast=blasts, granular=5, naked=4, hyperlobulated=3)
    found = class_sizes(configurations(tmp_path))
    assert (found.kind, found.images["blast"]) == (TRAINING, 40.0)


def test_all_rows_of_one_state_of_the_data_are_cut_alike(tmp_path, found_in):
    write_run(tmp_path, model="some_folds")
    tell_counts(write_run(tmp_path, model="told"), blast=3, granular=4, naked=5, hyperlobulated=6)
    found = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False)
    assert [row.members["head"] for row in found.rows] == [["hyperlobulated"]] * 2
    assert {row.grouped_by for row in found.rows} == {TRAINING}


def test_a_final_run_alone_has_no_sizes(tmp_path):
    write_run(tmp_path, fold="final")
    assert class_sizes(configurations(tmp_path)) is None
