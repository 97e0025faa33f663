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

pytestmark = pytest.mark.long


@pytest.fixture
def command(tmp_path):
    """Starts `python train.py ...` in a process group of its own, as a shell does; output goes to a file."""

    def start(*arguments):
        with open(tmp_path / "output.txt", "w") as output:
            return subprocess.Popen(
                [sys.executable, "train.py", *arguments],
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


def found(tmp_path):
    return find_runs([tmp_path / "runs" / "train"])[0]


def statuses(tmp_path):
    return {run.fold: run.status for run in found(tmp_path)}


def test_a_matrix_goes_on_past_failing_cells_does_only_what_is_missing_and_is_reported(command, tmp_path):
    small_and_drawn = [
        "data=synthetic", "data.scale=0.02", f"data.root={tmp_path / 'drawn'}", "data.folds.count=3",
        "epochs=1", "image_size=32", "batch_size=16", "workers=0", "trainer=cpu", "logger=csv",
        f"runs={tmp_path / 'runs'}",
    ]  # fmt: skip
    first = command("-m", "model=convnext_test,resnet_test", "fold=0,9", "jobs=2", *small_and_drawn)
    assert first.wait(timeout=300) == 1
    assert [(run.model, run.status) for run in found(tmp_path)] == [
        ("convnext_test", "finished"), ("resnet_test", "finished"),
    ]  # fmt: skip
    assert "model=resnet_test fold=9: fold must be one of 0, 1, 2, but is 9" in said(tmp_path)
    assert "2 finished, 2 failed" in said(tmp_path)
    made = {run.folder.path: run.record["started"] for run in found(tmp_path)}

    second = command("-m", "model=convnext_test,resnet_test", "fold=0,1", *small_and_drawn)
    assert second.wait(timeout=300) == 0
    assert "2 finished already, 2 finished" in said(tmp_path)
    again = {run.folder.path: run.record["started"] for run in found(tmp_path)}
    assert {path: again[path] for path in made} == made
    assert [one.missing for one in group_runs(found(tmp_path))] == [[(2, 0)], [(2, 0)]]

    report = [sys.executable, "-m", "mk11.report", str(tmp_path / "runs"), "--out", str(tmp_path / "report")]
    done = subprocess.run(report, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "lacks fold 2 seed 0" in done.stdout
    assert (tmp_path / "report" / "summary.md").read_text().count("2 of 3") == 2
    assert (tmp_path / "report" / "index.html").stat().st_size > 100_000


def test_all_folds_survive_ctrl_c_and_a_kill(command, cells, tmp_path):
    asked = ["fold=all", *small(cells, tmp_path / "runs", "trainer.progress=lines", "epochs=40")]
    first = command(*asked)
    wait_until("epoch 2/40", tmp_path)
    os.killpg(first.pid, signal.SIGINT)
    assert first.wait(timeout=120) == 130
    assert "1 interrupted, 2 not begun: the same command again" in said(tmp_path)
    assert statuses(tmp_path) == {0: "interrupted"}

    second = command(*asked)
    wait_until("fold 1 .*epoch 2/40", tmp_path)
    second.kill()
    second.wait(timeout=60)
    end = time.time() + 60
    while statuses(tmp_path)[1] == "running" and time.time() < end:
        time.sleep(0.2)
    assert statuses(tmp_path) == {0: "finished", 1: "interrupted"}

    third = command(*asked)
    assert third.wait(timeout=300) == 0
    assert "1 finished already, 2 finished" in said(tmp_path)
    (record,) = (tmp_path / "runs" / "cv").glob("*.json")
    assert set(read_json(record)["values"]) == {"0", "1", "2"}
    runs = sorted(found(tmp_path), key=lambda run: run.fold)
    assert [len(run.record["starts"]) for run in runs] == [2, 2, 1]
