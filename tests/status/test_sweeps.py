import os
import subprocess
import sys
from pathlib import Path

from run_folders import write_run, write_runs
from sweep_folders import cells, commands, lines_with, sweep_of

from mk11.cli.matrix.records import CellRecord


def test_an_incomplete_sweep_is_finished_by_its_own_command_line(status):
    runs = Path("runs")
    for fold in (0, 1):
        write_run(runs, model="vit", fold=fold, record={"overrides": ["model=vit", f"fold={fold}", "seed=0"]})
    sweep_of(runs, "model=vit,vgg", "fold=0,1", "seed=0", "+note=it's", cells=cells(("vit", "vgg"), (0, 1)))
    out, _, _ = status()
    assert "The sweep of 2026-03-01 10:00, 2 of 4 cells open" in out
    assert commands(out)[0] == """python train.py -m model=vit,vgg fold=0,1 seed=0 '+note=it'"'"'s'"""
    assert lines_with(out, "model=vgg", "· missing")  # never started: no run folder tells of it
    assert commands(out)[1:] == ["python train.py -m model=vit fold=2,3,4"]  # the sweep did not ask for these


def test_cells_that_failed_before_they_had_a_folder_tell_why(status):
    asked = cells(("vgg",), (0, 1))
    broken = CellRecord(0, asked[0], status="failed", error="model.weights must be a file, but is x")
    ended = CellRecord(1, asked[1], status="timed_out", error="no output for 60 s")
    sweep_of(Path("runs"), "model=vgg", "fold=0,1", cells=asked, records=[broken, ended])
    out, _, _ = status()
    assert "0 of 2 cells done, 2 failed" in out
    assert lines_with(out, "✗ failed", "fold 0 seed 0: model.weights must be a file, but is x")
    assert lines_with(out, "✗ failed", "fold 1 seed 0: no output for 60 s")


def test_a_sweep_that_a_later_one_completed_is_not_shown(status):
    runs, asked = Path("runs"), cells(("vit",), range(5))
    sweep_of(runs, "model=vit", "fold=0,1,2,3,4", "seed=0", cells=asked, when="2026-03-01_10-00-00")
    for fold, overrides in enumerate(asked):
        write_run(runs, model="vit", fold=fold, record={"overrides": overrides[::-1]})
    sweep_of(runs, "model=vit", "fold=0,1,2,3,4", "seed=0", cells=asked, when="2026-03-02_10-00-00")
    out, _, _ = status()
    assert "5 of 5 cells done" in out
    assert "sweep" not in out


def test_of_two_sweeps_that_lack_the_same_cells_the_later_one_is_shown(status):
    for day, jobs in (("2026-03-01_10-00-00", "jobs=1"), ("2026-03-02_10-00-00", "jobs=2")):
        sweep_of(Path("runs"), "model=vit", jobs, "fold=0,1", cells=cells(("vit",), (0, 1)), when=day)
    assert commands(status()[0]) == ["python train.py -m model=vit jobs=2 fold=0,1"]


def test_results_that_somebody_deleted_are_not_asked_for_again(status):
    asked = cells(("vit",), (0, 1))
    gone = [CellRecord(n, asked[n], status="finished", folder="/nowhere/at/all") for n in (0, 1)]
    sweep_of(Path("runs"), "model=vit", cells=asked, records=gone)
    write_runs(Path("runs"), models={"convnext": 1.0})
    out, _, _ = status()
    assert "5 of 5 cells done" in out
    assert "vit" not in out


def test_cells_of_a_sweep_that_still_runs_are_waiting(status):
    asked = cells(("vgg",), (0, 1, 2))
    starting = CellRecord(0, asked[0], status="running")
    code = "import time; print('begun', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, "train.py"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "begun\n"
        host = os.uname().nodename
        sweep_of(Path("runs"), "fold=0,1,2", cells=asked, records=[starting], host=host, pid=process.pid)
        out, _, _ = status()
    finally:
        process.kill()
        process.communicate()
    assert lines_with(out, "model=vgg", "▶ running", "… waiting")
    assert "3 of 3 cells open, is still going" in out
    assert commands(out) == []
    out, _, _ = status()  # the process is gone
    assert lines_with(out, "‖ stopped", "killed while starting")
    assert len(commands(out)) == 1


def test_another_process_with_the_number_of_a_dead_sweep_does_not_make_it_alive(status):
    host = os.uname().nodename
    sweep_of(Path("runs"), "fold=0,1", cells=cells(("vgg",), (0, 1)), host=host, pid=os.getppid())
    assert len(commands(status()[0])) == 1


def test_a_damaged_sweep_and_a_damaged_run_are_told_and_the_rest_is_shown(status):
    runs = Path("runs")
    write_run(runs)
    sweep_of(runs, cells=[["fold=0"]]).matrix.write_text('{"cells": 3')
    sweep_of(runs, cells=[["fold=0"]], when="b").matrix.write_text('{"cells": 3, "command": "x"}')
    sweep_of(runs, cells=[["fold=0"]], when="c", records=[CellRecord(0, [])])
    (runs / "sweeps/c/cells/0.json").write_text("[]")
    bad = write_run(runs, fold=1)
    (bad / "run.json").write_text("{")
    out, err, code = status()
    assert (code, "1 of 5 cells done" in out) == (0, True)
    assert len(lines_with(err, "note:", "was left out")) == 4
