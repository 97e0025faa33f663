import json
from pathlib import Path

from run_folders import Cells, write_run, write_runs
from sweep_folders import commands, lines_with, sweep_of

from mk11.cli.matrix.records import CellRecord
from mk11.files import write_json


def test_fold_all_is_complete_when_every_fold_is(status):
    runs = Path("runs")
    paths = write_runs(runs, models={"vit": 1.0}, missing={("vit", 4, 0)})
    begun = [
        CellRecord(
            0, ["model=vit", f"fold={fold}"], fold=fold, status="finished", folder=str(path.absolute())
        )
        for fold, path in enumerate(paths)
    ]
    for path in paths:
        record = json.loads((path / "run.json").read_text())
        write_json(path / "run.json", record | {"overrides": ["model=vit", f"fold={record['fold']}"]})
    folder = sweep_of(runs, "model=vit", "fold=all", cells=[["model=vit", "fold=all"]], records=begun)
    out, _, _ = status()
    assert commands(out) == ["python train.py -m model=vit fold=all"]
    last = write_run(runs, model="vit", fold=4, record={"overrides": ["model=vit", "fold=4"]})
    folder.write(
        CellRecord(0, ["model=vit", "fold=4"], fold=4, status="finished", folder=str(last.absolute()))
    )
    out, _, _ = status()
    assert "5 of 5 cells done" in out
    assert commands(out) == []


def test_folds_that_an_interrupted_sweep_never_began_are_those_of_a_sibling(status):
    write_runs(Path("runs"), models={"vit": 1.0}, folds=(0, 1), cells=Cells(folds=4))
    asked = [[f"model={model}", "fold=all"] for model in ("vit", "vgg")]
    sweep_of(Path("runs"), "model=vit,vgg", "fold=all", cells=asked)
    out, _, _ = status()
    assert "2 of 8 cells done, 6 missing" in out
    assert "The sweep of 2026-03-01 10:00, 6 of 8 cells open" in out
    assert lines_with(out, "model=vgg")[0].count("· missing") == 4
    assert commands(out) == ["python train.py -m model=vit,vgg fold=all"]


def test_a_sibling_on_other_data_tells_no_folds(status):
    path = write_run(Path("runs"), model="vit", cells=Cells(folds=4))
    record = json.loads((path / "run.json").read_text())
    write_json(path / "run.json", record | {"overrides": ["model=vit", "data=other", "fold=0"]})
    sweep_of(Path("runs"), "model=vgg", "fold=all", cells=[["model=vgg", "fold=all"]])
    out, _, _ = status()
    assert "1 of 5 cells done, 4 missing" in out
    (row,) = lines_with(out, "model=vgg", "· missing")
    assert row.count("missing") == 1
    assert commands(out)[0] == "python train.py -m model=vgg fold=all"


def test_siblings_that_disagree_tell_no_folds(status):
    write_run(Path("runs"), model="a", cells=Cells(folds=4))
    write_run(Path("runs"), model="b", cells=Cells(folds=5))
    sweep_of(Path("runs"), "model=vgg", "fold=all", cells=[["model=vgg", "fold=all"]])
    assert "2 of 10 cells done, 8 missing" in status()[0]


def test_folds_of_which_some_began_without_a_folder_leave_the_others_missing(status):
    write_run(Path("runs"), model="vit", cells=Cells(folds=3))
    begun = CellRecord(0, ["model=vgg", "fold=1"], fold=1, status="failed", error="no memory")
    sweep_of(Path("runs"), "model=vgg", "fold=all", cells=[["model=vgg", "fold=all"]], records=[begun])
    out, _, _ = status()
    assert "1 of 6 cells done, 1 failed, 4 missing" in out
    assert lines_with(out, "✗ failed", "fold 1 seed 0: no memory")


def test_a_sweep_whose_folds_could_not_be_told_says_why_until_a_later_one_can(status):
    asked = [["model=vgg", "fold=all"]]
    failed = CellRecord(0, asked[0], status="failed", error="data.root must be a folder")
    sweep_of(Path("runs"), "model=vgg", "fold=all", cells=asked, records=[failed])
    out, _, _ = status()
    assert "0 of 1 cells done, 1 failed" in out
    assert lines_with(out, "✗ failed", "fold all seed 0: data.root must be a folder")
    write_run(Path("runs"), model="vit", cells=Cells(folds=2))
    sweep_of(Path("runs"), "model=vgg", "fold=all", "jobs=2", cells=asked, when="2026-03-02_10-00-00")
    out, _, _ = status()
    assert "1 of 4 cells done, 3 missing" in out
    assert commands(out) == [
        "python train.py -m model=vgg fold=all jobs=2",
        "python train.py model=vit fold=1",
    ]


def test_folds_of_a_sweep_that_were_done_and_deleted_are_not_asked_for_again(status):
    asked = [["model=vgg", "fold=all"]]
    gone = [
        CellRecord(0, ["model=vgg", f"fold={fold}"], fold=fold, status="finished", folder="/nowhere/at/all")
        for fold in (0, 1)
    ]
    sweep_of(Path("runs"), "model=vgg", "fold=all", cells=asked, records=gone)
    write_run(Path("runs"), model="vit", cells=Cells(folds=3))
    out, _, _ = status()
    assert "1 of 4 cells done, 3 missing" in out  # two of another model, and the third fold


def test_a_final_run_does_not_stand_for_the_folds_of_a_sweep(status):
    write_run(Path("runs"), model="vit", fold="final", record={"overrides": ["model=vit", "fold=final"]})
    sweep_of(Path("runs"), "model=vit", "fold=all", cells=[["model=vit", "fold=all"]])
    out, _, _ = status()
    assert "1 of 6 cells done, 5 missing" in out
    assert commands(out) == ["python train.py -m model=vit fold=all"]
