"""`python pretrain.py` as processes: killed and continued, many at once, shared by two devices."""

import os
import re
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch
from conftest import ROOT, small_pretraining

from mk11.files import read_json
from mk11.runs.ledger import find_runs

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
pytestmark = pytest.mark.long
TIMES = ["data_wait", "images_per_second", "seconds", "peak_memory_gib"]


@pytest.fixture
def start(cells, tmp_path):
    """Starts `python pretrain.py ...`; output goes to a file."""

    def run(*arguments, more=()):
        with open(tmp_path / "output.txt", "w") as output:
            overrides = small_pretraining(cells, tmp_path / "processes", "trainer.progress=lines", *more)
            return subprocess.Popen(
                [sys.executable, "pretrain.py", *arguments, *overrides],
                cwd=ROOT, env=ENVIRONMENT, stdout=output, stderr=subprocess.STDOUT, process_group=0,
            )  # fmt: skip

    return run


def said(tmp_path):
    return (tmp_path / "output.txt").read_text()


def wait_until(said_so, tmp_path, seconds=120):
    end = time.time() + seconds
    while not re.search(said_so, said(tmp_path)):
        assert time.time() < end, said(tmp_path)
        time.sleep(0.02)


def history(folder):
    return pd.read_csv(folder.history).drop(columns=TIMES)


def only_run(tmp_path):
    (run,) = find_runs([tmp_path / "processes"])[0]
    return run.folder


def test_a_killed_run_goes_on_to_the_weights_it_would_have_had(start, pretrain_in_process, tmp_path):
    longer = ("epochs=12", "ssl=mixmim", "image_size=64")
    killed = start(more=longer)
    wait_until("epoch 2/12", tmp_path)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait(timeout=60)
    folder = only_run(tmp_path)
    assert read_json(folder.record)["status"] == "running"
    assert 1 <= len(pd.read_csv(folder.history)) < 12
    assert start(more=longer).wait(timeout=300) == 0, said(tmp_path)
    assert "resuming after the last complete epoch" in said(tmp_path)
    _, whole = pretrain_in_process(*longer)
    pd.testing.assert_frame_equal(history(folder), history(whole.folder), check_exact=True)
    one, two = (torch.load(each.last, weights_only=True)["state_dict"] for each in (folder, whole.folder))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_a_matrix_of_methods_and_folds_does_only_what_is_missing(start, tmp_path):
    command = start("-m", "fold=0,9", more=["epochs=1", "health.every=0", "monitor=loss"])
    assert command.wait(timeout=300) == 1
    assert "fold=9: fold must be one of 0, 1, 2, but is 9" in said(tmp_path)
    again = start("-m", "fold=0", more=["epochs=1", "health.every=0", "monitor=loss"])
    assert again.wait(timeout=300) == 0, said(tmp_path)
    assert "1 finished already" in said(tmp_path)
    runs, problems = find_runs([tmp_path / "processes"])
    assert [(run.stage, run.model, run.fold, run.status) for run in runs] == [
        ("pretrain", "mae", 0, "finished")
    ]
    assert problems == []


def test_two_devices_with_the_same_global_batch_learn_what_one_does(start, pretrain_in_process, tmp_path):
    keys = ("ssl=mocov3", "epochs=2", "ssl.stop_grad_patch_embed=false")
    two = start(more=(*keys, "trainer.devices=2", "trainer.strategy=ddp"))
    assert two.wait(timeout=120) == 0, said(tmp_path)
    _, one = pretrain_in_process(*keys)
    columns = ["epoch", "pretrain/loss", "pretrain/chance", "pretrain/momentum", "health/feature_std"]
    found, expected = history(only_run(tmp_path)), history(one.folder)
    pd.testing.assert_frame_equal(found[columns], expected[columns], rtol=1e-3)
