"""What a matrix writes down, and the table made from it."""

import os
import signal
import socket
import subprocess
import sys

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import open_dict

from mk11.cli.matrix.records import CellRecord, MatrixFolder, PlanMatrix, planned
from mk11.cli.matrix.table import print_cells, told_at_the_end
from mk11.errors import UserError
from mk11.files import read_json, write_json


@pytest.fixture
def matrix(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "-m", "model=a,b c", "fold=0,1"])
    folder = MatrixFolder(tmp_path / "sweeps" / "now")
    folder.plan([["model=a", "fold=0"], ["model=a", "fold=1"], ["model=b", "fold=0"]], script="/x/train.py")
    return folder


def test_the_plan_holds_a_command_that_can_be_pasted(matrix):
    assert read_json(matrix.matrix)["command"] == "python train.py -m 'model=a,b c' fold=0,1"


def test_the_cells_of_a_grid_are_known_before_the_first_begins():
    with initialize_config_dir(str(os.path.abspath("conf")), version_base="1.3"):
        cfg = compose("train", overrides=["seed=3"], return_hydra_config=True)
    with open_dict(cfg):
        cfg.hydra.overrides.task = ["model=vgg,vit", "fold=0,1", "seed=3"]
    cells = planned(cfg)
    assert cells == [
        [f"model={model}", f"fold={fold}", "seed=3"] for model in ("vgg", "vit") for fold in (0, 1)
    ]


def test_the_cells_of_a_sweep_file_are_known_too():
    with initialize_config_dir(str(os.path.abspath("conf")), version_base="1.3"):
        cfg = compose("train", overrides=["sweep=folds"], return_hydra_config=True)
    assert planned(cfg) == [[f"fold={fold}", "sweep=folds"] for fold in range(5)]


def test_the_table_shows_every_cell_and_what_to_do(matrix, capsys):
    matrix.write(CellRecord(0, ["model=a", "fold=0"], status="finished", seconds=90.0, value=0.5))
    matrix.write(CellRecord(1, ["model=a", "fold=1"], status="failed", seconds=6.0, error="[out] of memory"))
    assert not print_cells(matrix)
    out = capsys.readouterr().out
    assert "not begun" in out
    assert "model=a fold=1: [out] of memory" in out
    assert "1 finished, 1 failed, 1 not begun: the same command again does only what is missing" in out


def test_a_complete_matrix_says_so(matrix, capsys):
    for num, status in enumerate(["finished", "skipped", "finished"]):
        matrix.write(CellRecord(num, [f"fold={num}"], status=status))
    assert print_cells(matrix)
    assert "2 finished, 1 finished already" in capsys.readouterr().out


def test_the_status_of_the_command_tells_of_failures_and_of_ctrl_c(matrix, monkeypatch):
    monkeypatch.setattr(PlanMatrix, "current", matrix)
    with pytest.raises(SystemExit) as ended, told_at_the_end():
        pass
    assert ended.value.code == 1
    matrix.stop.touch()
    with pytest.raises(SystemExit) as ended, told_at_the_end():
        raise KeyboardInterrupt
    assert ended.value.code == 130


def test_a_single_run_has_no_table(capsys):
    with told_at_the_end():
        pass
    assert capsys.readouterr().out == ""


def test_the_first_ctrl_c_asks_and_the_second_insists(matrix):
    before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        matrix.stop_on_signals()
        os.kill(os.getpid(), signal.SIGINT)
        assert matrix.stopping()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def test_a_matrix_stops_when_the_process_that_began_it_is_gone(matrix):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not matrix.stopping()
    told = read_json(matrix.matrix)
    write_json(matrix.matrix, {**told, "pid": ended.pid})
    assert matrix.begun_elsewhere()
    assert matrix.stopping()
    write_json(matrix.matrix, {**told, "pid": ended.pid, "host": f"not-{socket.gethostname()}"})
    assert not matrix.stopping()


def test_a_folder_in_which_another_command_works_is_refused_and_a_left_one_is_cleared(matrix):
    matrix.write(CellRecord(0, ["model=a", "fold=0"], status="failed"))
    matrix.stop.touch()
    told = read_json(matrix.matrix)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    write_json(matrix.matrix, {**told, "pid": ended.pid})
    matrix.plan([["fold=0"]], script="train.py")
    assert matrix.records() == []
    assert not matrix.stop.exists()
    write_json(matrix.matrix, {**told, "pid": os.getppid()})
    with pytest.raises(UserError, match="another one is at work"):
        matrix.plan([["fold=0"]], script="train.py")
