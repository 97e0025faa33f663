"""A matrix as a user runs it: real processes, cut short by Ctrl-C and by SIGKILL, continued, reported."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import small

from mk11.files import read_json
from mk11.runs.configurations import group_runs
from mk11.runs.ledger import find_runs

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def command(cells, tmp_path):
    """Starts `python train.py ...` in a process group of its own, as a shell does; output goes to a file."""

    def start(*arguments, more=()):
        with open(tmp_path / "output.txt", "w") as output:
            overrides = small(cells, tmp_path / "runs", "trainer.progress=lines", *more)
            return subprocess.Popen(
                [sys.executable, "train.py", *arguments, *overrides],
                cwd=ROOT, env=ENVIRONMENT, stdout=output, stderr=subprocess.STDOUT, process_group=0,
            )  # fmt: skip

    return start


def said(tmp_path):
    return (tmp_path / "output.txt").read_text()


def wait_until(said_so, tmp_path, seconds=240):
    end = time.time() + seconds
    while not re.search(said_so, said(tmp_path)):
        assert time.time() < end, said(tmp_path)
        time.sleep(0.1)


def statuses(runs):
    return {run.fold: run.status for run in find_runs([runs / "train"])[0]}


def test_a_matrix_goes_on_past_a_failing_cell_and_again_does_only_what_is_missing(command, tmp_path):
    first = command("-m", "fold=0,1,9", "jobs=2", more=["epochs=1"])
    assert first.wait(timeout=300) == 1
    assert statuses(tmp_path / "runs") == {0: "finished", 1: "finished"}
    assert "fold=9: fold must be one of 0, 1, 2, but is 9" in said(tmp_path)
    assert "2 finished, 1 failed" in said(tmp_path)
    made = {run.fold: run.record["started"] for run in find_runs([tmp_path / "runs" / "train"])[0]}
    second = command("-m", "fold=0,1,2", more=["epochs=1"])
    assert second.wait(timeout=300) == 0
    assert "2 finished already, 1 finished" in said(tmp_path)
    runs = find_runs([tmp_path / "runs" / "train"])[0]
    assert {run.fold: run.record["started"] for run in runs if run.fold in made} == made
    (configuration,) = group_runs(runs)
    assert configuration.missing == []


def test_all_folds_survive_ctrl_c_and_a_kill(command, tmp_path):
    long = ["epochs=40"]
    first = command("fold=all", more=long)
    wait_until("epoch 2/40", tmp_path)
    os.killpg(first.pid, signal.SIGINT)
    assert first.wait(timeout=120) == 130
    assert "1 interrupted, 2 not begun: the same command again" in said(tmp_path)
    assert statuses(tmp_path / "runs") == {0: "interrupted"}

    second = command("fold=all", more=long)
    wait_until("fold 1 .*epoch 2/40", tmp_path)
    second.kill()
    second.wait(timeout=60)
    end = time.time() + 60
    while statuses(tmp_path / "runs")[1] == "running" and time.time() < end:
        time.sleep(0.2)
    assert statuses(tmp_path / "runs") == {0: "finished", 1: "interrupted"}

    third = command("fold=all", more=long)
    assert third.wait(timeout=300) == 0
    assert "1 finished already, 2 finished" in said(tmp_path)
    (record,) = (tmp_path / "runs" / "cv").glob("*.json")
    assert set(read_json(record)["values"]) == {"0", "1", "2"}
    runs = find_runs([tmp_path / "runs" / "train"])[0]
    assert [len(run.record["starts"]) for run in sorted(runs, key=lambda run: run.fold)] == [2, 2, 1]
