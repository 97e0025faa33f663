"""Cells of a matrix in this process; scripts of a few lines stand in for `train.py`."""

import math
import signal
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict

from mk11.cli.job import Job
from mk11.cli.matrix import supervise
from mk11.cli.matrix.cells import cells_of, is_finished
from mk11.cli.matrix.records import MatrixFolder
from mk11.cli.matrix.run import cross_validate, run_cell
from mk11.files import read_json, write_json
from mk11.metrics.final import OVERALL

ROOT = Path(__file__).resolve().parents[3]

FINISHES = """
import json, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from mk11.runs.folder import RunFolder
folder = RunFolder(Path({folders}[[part for part in sys.argv if part.startswith("fold=")][-1]]))
told = json.loads(Path({records}[folder.path.name]).read_text())
folder.update({{**told, "status": "finished", "commit": None}})
folder.config.write_text(Path(str(folder.path) + ".config.yaml").read_text())
value = 0.5 + int(sys.argv[-2][-1]) / 10
measures = {{"support": 8, "precision": value, "recall": value, "f1": value, "pr_auc": value}}
split = {{**dict.fromkeys({names}, value), "images": 24, "absent": []}}
split["per_class"] = dict.fromkeys(told["data"]["classes"], measures)
best = {{"pr_auc": {{"value": value, "epoch": 1}}}}
whole = {{"monitor": "pr_auc", "epochs": 1, "best_epoch": 1, "best_validation": best}}
metrics = {{**whole, "val": split, "test": split, "last": {{"val": split, "test": split}}}}
folder.metrics.write_text(json.dumps(metrics))
folder.predictions.touch()
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(supervise, "GRACE", {signal.SIGINT: 1.0, signal.SIGTERM: 1.0})


@pytest.fixture
def composed(overrides, tmp_path):
    """The config of one cell, with Hydra believing that it runs it; returns (cfg, matrix folder)."""

    def make(*more, mode=RunMode.MULTIRUN):
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            cfg = compose("train", overrides=overrides(*more), return_hydra_config=True)
        with open_dict(cfg):
            cfg.hydra.mode, cfg.hydra.job.num = mode, 0
            cfg.hydra.sweep.dir = str(tmp_path / "runs" / "sweeps" / "now")
        HydraConfig.instance().set_config(cfg)
        with open_dict(cfg):
            del cfg["hydra"]
        return cfg, MatrixFolder(tmp_path / "runs" / "sweeps" / "now")

    return make


@pytest.fixture
def script(tmp_path):
    """Writes a script."""

    def write(text):
        path = tmp_path / "script.py"
        path.write_text(text)
        return path

    return write


def only_record(matrix):
    (record,) = matrix.records()
    return record


def finishing(composed, script):
    """A script that leaves finished runs without training, worth 0.5, 0.6, 0.7 in folds 0, 1, 2."""
    cfg, matrix = composed("fold=all")
    cells = cells_of(cfg, script=Path("none"), matrix=matrix, num=0, jobs=1, kind=Job)
    folders, records = {}, {}
    for cell in cells:
        folder = cell.job.folder
        folder.path.parent.mkdir(parents=True, exist_ok=True)
        Path(f"{folder.path}.config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(cell.job.config)))
        write_json(Path(f"{folder.path}.record.json"), cell.job.record())
        folders[f"fold={cell.job.cfg.fold}"] = str(folder.path)
        records[folder.path.name] = f"{folder.path}.record.json"
    return cells, script(
        FINISHES.format(root=str(ROOT), folders=folders, records=records, names=list(OVERALL))
    )


def test_a_cell_that_fails_is_recorded_with_its_last_words_and_is_worth_nan(composed, script, capsys):
    cfg, matrix = composed()
    value = run_cell(cfg, script=script("raise RuntimeError('the disk is full')"), kind=Job)
    record = only_record(matrix)
    assert math.isnan(value)
    assert (record.status, record.error) == ("failed", "RuntimeError: the disk is full")
    assert "Traceback" in matrix.log(record).read_text()
    assert "failed" in capsys.readouterr().out


def test_a_cell_that_is_killed_marks_its_run_folder(composed, script):
    cfg, matrix = composed()
    (cell,) = cells_of(cfg, script=Path("none"), matrix=matrix, num=0, jobs=1, kind=Job)
    cell.job.folder.path.mkdir(parents=True)
    cell.job.folder.update({**cell.job.record(), "status": "running", "commit": None})
    run_cell(cfg, script=script("import os; os.kill(os.getpid(), 9)"), kind=Job)
    assert only_record(matrix).error == "ended by signal 9"
    assert cell.job.folder.status() == "failed"
    assert cell.job.folder.error.read_text() == "ended by signal 9\n"


def test_a_cell_leaves_a_run_alone_that_another_process_is_at(composed, script):
    cfg, matrix = composed()
    (cell,) = cells_of(cfg, script=Path("none"), matrix=matrix, num=0, jobs=1, kind=Job)
    with cell.job.folder.locked():
        cell.job.folder.update({**cell.job.record(), "status": "running", "commit": None})
        run_cell(cfg, script=script("raise SystemExit('is being written by another process')"), kind=Job)
        assert cell.job.folder.status() == "running"
        assert not cell.job.folder.error.exists()
    assert only_record(matrix).status == "failed"


def test_a_cell_that_is_silent_for_too_long_is_ended_and_marked(composed, script):
    cfg, matrix = composed("jobs_timeout=1")
    run_cell(cfg, script=script("import time; time.sleep(60)"), kind=Job)
    record = only_record(matrix)
    assert record.status == "timed_out"
    assert "jobs_timeout" in record.error


def test_a_mistake_in_the_config_is_told_without_a_process(composed):
    cfg, matrix = composed("fold=7")
    assert math.isnan(run_cell(cfg, script=Path("never started"), kind=Job))
    assert only_record(matrix).error == "fold must be one of 0, 1, 2, but is 7"


def test_a_mistake_that_hides_the_folds_is_told_too(composed):
    cfg, matrix = composed("fold=all", "data.root=nowhere")
    assert math.isnan(run_cell(cfg, script=Path("never started"), kind=Job))
    assert "nowhere" in only_record(matrix).error


def test_a_cell_is_started_with_its_own_overrides_and_outside_any_sweep(composed, script, monkeypatch):
    cfg, matrix = composed("fold=all", "seed=4")
    cell = cells_of(cfg, script=Path("/somewhere/train.py"), matrix=matrix, num=0, jobs=1, kind=Job)[1]
    command = cell.command()
    assert command[1] == "/somewhere/train.py"
    assert command[-1] == "hydra.mode=RUN"
    assert "seed=4" in command
    assert [part for part in command if part.startswith("fold=")] == ["fold=1"]


def test_all_folds_are_worth_their_mean_and_leave_a_file_that_says_so(composed, script, capsys):
    cells, path = finishing(composed, script)
    cfg, matrix = composed("fold=all", mode=RunMode.RUN)
    handlers = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        value = cross_validate(cfg, script=path)
    finally:
        for kind, handler in handlers.items():
            signal.signal(kind, handler)
    assert value == pytest.approx(0.6)
    out = capsys.readouterr().out
    last = out.splitlines()[-1]
    assert last.startswith("cross-validation: ")
    assert "60.00 ± 10.00" in out
    content = read_json(Path(last.removeprefix("cross-validation: ")))
    assert content["values"] == {"0": 0.5, "1": 0.6, "2": 0.7}
    assert content["sd"] == pytest.approx(0.1)
    assert all(is_finished(cell.job) for cell in cells)
    assert [record.status for record in matrix.records()] == ["finished"] * 3


def test_finished_folds_are_not_done_again(composed, script):
    _, path = finishing(composed, script)
    cfg, matrix = composed("fold=all")
    first = run_cell(cfg, script=path, kind=Job)
    again = run_cell(cfg, script=script("raise RuntimeError"), kind=Job)
    assert again == first == pytest.approx(0.6)
    assert [record.status for record in matrix.records()] == ["skipped"] * 3


def test_a_search_that_meets_finished_runs_leaves_its_name_on_them(composed, script):
    cells, path = finishing(composed, script)
    cfg, _ = composed("fold=all")
    run_cell(cfg, script=path, kind=Job)
    assert {cell.job.folder.read()["tuned"] for cell in cells} == {None}
    cfg, _ = composed("fold=all", "analysis.tuned=hparams")
    run_cell(cfg, script=Path("never started"), kind=Job)
    assert {cell.job.folder.read()["tuned"] for cell in cells} == {"hparams"}


def test_folds_that_never_began_are_told_by_name(composed, script, capsys):
    cfg, matrix = composed("fold=all")
    matrix.path.mkdir(parents=True)
    matrix.stop.touch()
    run_cell(cfg, script=Path("never started"), kind=Job)
    assert [(record.fold, record.status) for record in matrix.records()] == [
        (fold, "not begun") for fold in range(3)
    ]


def test_seeds_of_one_configuration_do_not_overwrite_each_others_mean(composed, script, tmp_path):
    for seed in (0, 1):
        _, path = finishing(lambda *more, seed=seed: composed(*more, f"seed={seed}"), script)
        cfg, _ = composed("fold=all", f"seed={seed}")
        run_cell(cfg, script=path, kind=Job)
    found = sorted(path.name.split("-")[1] for path in (tmp_path / "runs" / "cv").glob("*.json"))
    assert found == ["seed0.json", "seed1.json"]


def test_one_missing_fold_leaves_the_mean_unknown_and_the_others_done(composed, script):
    _, path = finishing(composed, script)
    path.write_text('import sys\nif "fold=1" in sys.argv: sys.exit("no memory")\n' + path.read_text())
    cfg, matrix = composed("fold=all")
    assert math.isnan(run_cell(cfg, script=path, kind=Job))
    assert [record.status for record in matrix.records()] == ["finished", "failed", "finished"]
    assert matrix.records()[1].error == "no memory"


def test_a_matrix_that_is_stopped_begins_no_more_cells(composed):
    cfg, matrix = composed()
    matrix.path.mkdir(parents=True)
    matrix.stop.touch()
    assert math.isnan(run_cell(cfg, script=Path("never started"), kind=Job))
    assert matrix.records() == []
