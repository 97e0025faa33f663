"""The commands as a user types them, each in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from mk11.evaluation.predictions import read_predictions
from mk11.files import read_json

ROOT = Path(__file__).resolve().parents[1]
TIMES = ["data_wait", "images_per_second", "seconds"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}


def start(*arguments):
    """`python train.py ...` from the repository's root."""
    return subprocess.Popen(
        [sys.executable, "train.py", *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments):
    process = start(*arguments)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def only(folder, name):
    (found,) = folder.rglob(name)
    return found


def test_help_lists_the_groups_and_needs_no_torch():
    code, out, err = run("--help")
    assert code == 0, err
    assert "model:" in out
    assert "convnext" in out
    probe = "import sys; sys.argv = ['train.py', '--help']; import runpy\n"
    probe += "try: runpy.run_path('train.py', run_name='__main__')\n"
    probe += "except SystemExit: pass\n"
    probe += "assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_embedded_drawn_cells_train_from_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, "MK11_DATA", str(tmp_path / "data"))
    code, out, err = run(
        "model=convnext_test",
        "fold=2",
        "data.scale=0.02",
        "image_size=32",
        "epochs=1",
        f"runs={tmp_path / 'runs'}",
    )
    assert code == 0, err
    assert "pr_auc" in out
    record = read_json(only(tmp_path / "runs", "run.json"))
    assert (record["status"], record["fold"], len(record["data"]["classes"])) == ("finished", 2, 11)
    assert "Warning" not in err, err


@pytest.mark.long
@pytest.mark.shared
def test_real_cells_train_with_their_fields_kept_whole(shared, tmp_path):
    cells = tmp_path / "chula"
    cut = [sys.executable, str(shared / "data" / "cut_cells.py"), str(cells), "--limit", "30"]
    subprocess.run(cut, check=True, capture_output=True)
    settings = ("model=convnext_test", "image_size=32", "epochs=1", "workers=1", "threads=1")
    code, _, err = run("data=folder", f"data.root={cells}", *settings, f"runs={tmp_path / 'runs'}")
    assert code == 0, err
    predictions, classes = read_predictions(only(tmp_path / "runs", "predictions.parquet"))
    assert len(classes) == 11
    groups = predictions.groupby("split")["group"].agg(set)
    assert groups["val"] & groups["test"] == set()
    assert "" not in groups["test"]


@pytest.mark.long
def test_killed_in_epoch_3_of_6_and_started_again_the_result_is_the_same(overrides, tmp_path):
    command = overrides(
        "epochs=6",
        "workers=1",
        "trainer.progress=lines",
        "data.folds.seed=1",
        "model.drop_path=0.1",
        "image_size=96",
        "batch_size=4",
    )
    code, _, err = run(*command, f"runs={tmp_path / 'whole'}")
    assert code == 0, err
    victim = start(*command, f"runs={tmp_path / 'killed'}")
    for line in victim.stdout:  # line 3 comes when epoch 3 has just been saved or is being saved
        if line.startswith("epoch 3/6"):
            break
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    history = pd.read_csv(only(tmp_path / "killed", "metrics.csv"))
    assert 2 <= len(history) < 6
    assert read_json(only(tmp_path / "killed", "run.json"))["status"] == "running"
    code, out, err = run(*command, f"runs={tmp_path / 'killed'}")
    assert code == 0, err
    assert "resuming after the last complete epoch" in out
    whole, killed = (read_json(only(tmp_path / name, "metrics.json")) for name in ("whole", "killed"))
    assert whole == killed
    weights = [
        torch.load(only(tmp_path / name, "last.ckpt"), weights_only=True)["state_dict"]
        for name in ("whole", "killed")
    ]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    histories = [
        pd.read_csv(only(tmp_path / name, "metrics.csv")).drop(columns=TIMES) for name in ("whole", "killed")
    ]
    pd.testing.assert_frame_equal(*histories, check_exact=True)


@pytest.mark.long
def test_two_processes_with_the_same_global_batch_give_the_result_of_one(overrides, tmp_path):
    command = overrides("imbalance=balanced_sampler", "logger=tensorboard")
    found = []
    for devices, strategy in (("1", "auto"), ("2", "ddp")):
        runs = tmp_path / devices
        code, _, err = run(
            *command, f"trainer.devices={devices}", f"trainer.strategy={strategy}", f"runs={runs}"
        )
        assert code == 0, err
        assert "Warning" not in err, err
        history = pd.read_csv(only(runs, "metrics.csv")).drop(columns=TIMES)
        found.append((history, read_predictions(only(runs, "predictions.parquet"))[0]))
    pd.testing.assert_frame_equal(found[0][0], found[1][0], rtol=1e-4)
    pd.testing.assert_frame_equal(found[0][1], found[1][1], atol=1e-4)


def test_ctrl_c_leaves_a_run_that_says_so_and_goes_on(overrides, tmp_path):
    command = [*overrides("epochs=40", "trainer.progress=lines"), f"runs={tmp_path / 'runs'}"]
    process = start(*command)
    for line in process.stdout:
        if line.startswith("epoch 2/"):  # printed just before the second epoch is saved
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert read_json(only(tmp_path / "runs", "run.json"))["status"] == "interrupted"
    assert only(tmp_path / "runs", "last.ckpt").exists()


def test_dry_prints_the_plan_and_trains_nothing(overrides, tmp_path):
    code, out, err = run(
        *overrides("dry=true", "model=vit_test", f"runs={tmp_path}", "optim.layer_decay=0.75")
    )
    assert code == 0, err
    for told in (
        "differences from the published recipe",
        "optim.base_lr",
        "peak learning rates",
        "block 1",
        "parameters",
    ):
        assert told in out
    assert not list(tmp_path.rglob("*.ckpt"))
    assert not list(tmp_path.rglob("run.json"))
    assert only(tmp_path, "plan.png").stat().st_size > 10_000


def test_a_mistake_ends_with_status_2_and_one_sentence(overrides):
    code, _, err = run(*overrides("fold=7"))
    assert code == 2
    assert err.strip() == "error: fold must be one of 0, 1, 2, but is 7"


@pytest.mark.long
def test_offline_wandb_keeps_its_id_in_the_run_folder(overrides, tmp_path):
    code, _, err = run(
        *overrides("logger=wandb", "logger.wandb.mode=offline", "epochs=1", f"runs={tmp_path}")
    )
    assert code == 0, err
    folder = only(tmp_path, "run.json").parent
    assert json.loads((folder / "wandb.json").read_text())["id"]
    assert list((folder / "wandb").glob("offline-run-*/*.wandb"))
