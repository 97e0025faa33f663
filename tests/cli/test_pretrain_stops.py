"""A pre-training that goes wrong: it stops, and says where the last good checkpoint is."""

import numpy as np
import pandas as pd
import pytest
import torch

from mk11.files import read_json
from mk11.models.encoder_file import read_about
from mk11.ssl.health.checks import HealthCheck
from mk11.ssl.mae import MAE
from mk11.ssl.task import SelfSupervised


def failing_loss(monkeypatch, *, step):
    """From that step on the loss is not a number."""
    forward, steps = MAE.forward, []

    def spoilt(method, image, *, noise, progress):
        steps.append(1)
        outcome = forward(method, image, noise=noise, progress=progress)
        return outcome._replace(loss=outcome.loss * (np.nan if len(steps) > step else 1))

    monkeypatch.setattr(MAE, "forward", spoilt)


def test_a_loss_that_is_not_finite_stops_with_the_last_good_checkpoint(
    pretrain_in_process, monkeypatch, capsys, tmp_path
):
    failing_loss(monkeypatch, step=4)  # of three steps an epoch
    with pytest.raises(SystemExit) as ended:
        pretrain_in_process("epochs=4")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    (last,) = (tmp_path / "runs").rglob("last.ckpt")
    assert "error: the loss is nan in epoch 2, step 2" in said
    assert f"The last good checkpoint is {last}" in said
    assert torch.load(last, weights_only=True)["epoch"] == 0
    (found,) = (read_json(path) for path in (tmp_path / "runs").rglob("nonfinite.json"))
    assert len(found["images"]) == 16
    (record,) = (read_json(path) for path in (tmp_path / "runs").rglob("run.json"))
    assert record["status"] == "failed"


def collapsing(monkeypatch, *, after):
    """From that check on the features look collapsed."""
    measure, checks = HealthCheck.measure, []

    def spoilt(check, method, device):
        checks.append(1)
        found = measure(check, method, device)
        return found | ({"health/feature_std": 1e-5} if len(checks) > after else {})

    monkeypatch.setattr(HealthCheck, "measure", spoilt)


def test_a_collapse_stops_with_the_last_good_checkpoint(pretrain_in_process, monkeypatch, capsys, tmp_path):
    collapsing(monkeypatch, after=2)
    with pytest.raises(SystemExit) as ended:
        pretrain_in_process("epochs=8", "optim.warmup_epochs=0", "health.patience=2")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    (good,) = (tmp_path / "runs").rglob("good.ckpt")
    assert "error: the encoder has collapsed: after epoch 4" in said
    assert f"The last good checkpoint is {good}, of epoch 2" in said
    assert torch.load(good, weights_only=True)["epoch"] == 1
    assert "warning: after epoch 3 the features' deviation is 1e-05" in said
    assert "bad check 1; 2 in a row are a collapse" in said
    (history,) = (tmp_path / "runs").rglob("metrics.csv")  # the row of the alarm is there
    assert pd.read_csv(history)["health/feature_std"].iloc[3] == pytest.approx(1e-5)


def test_a_collapse_may_be_told_and_no_more(pretrain_in_process, monkeypatch, capsys):
    collapsing(monkeypatch, after=0)
    keys = ("epochs=3", "optim.warmup_epochs=0", "health.patience=1", "health.on_collapse=warn")
    pretrain_in_process(*keys)
    assert capsys.readouterr().err.count("warning: the encoder has collapsed") == 3


def test_a_bad_last_check_marks_the_encoder_and_what_starts_from_it(
    pretrain_in_process, train_in_process, monkeypatch, capsys
):
    collapsing(monkeypatch, after=1)
    _, job = pretrain_in_process("epochs=2", "optim.warmup_epochs=0", "health.patience=3")
    said = capsys.readouterr()
    assert "careful: health.patience=3, but only 2 checks are judged" in said.out
    assert "warning: after epoch 2 the features' deviation is 1e-05" in said.err
    (told,) = read_json(job.folder.record)["data"]["marks"]["collapse"]
    assert told.startswith("the encoder's last check looked collapsed: after epoch 2 the features' deviation")
    assert f"warning: {told}; it is marked" in said.err
    assert read_about(job.folder.encoder)["marks"] == {"collapse": [told]}
    keys = ("model=mae_tiny", "model.options.depth=1", "epochs=1")
    _, trained = train_in_process(*keys, f"model.weights={job.folder.encoder}")
    assert read_json(trained.folder.record)["data"]["marks"]["collapse"] == [told]


def test_a_good_last_check_leaves_no_mark(pretrain_in_process, capsys):
    _, job = pretrain_in_process("epochs=1", "optim.warmup_epochs=0", "health.patience=1")
    assert read_about(job.folder.encoder)["marks"] == {}
    assert "careful" not in capsys.readouterr().out


def test_features_that_are_not_finite_stop_with_a_remedy(pretrain_in_process, monkeypatch, capsys, tmp_path):
    measure = HealthCheck.measure

    def spoilt(check, method, device):
        return dict.fromkeys(measure(check, method, device), np.nan)

    monkeypatch.setattr(HealthCheck, "measure", spoilt)
    with pytest.raises(SystemExit):
        pretrain_in_process("epochs=3", "health.every=2")
    (last,) = (tmp_path / "runs").rglob("last.ckpt")
    said = capsys.readouterr().err
    assert "error: the encoder's features are not finite after epoch 2" in said
    assert f"The last good checkpoint is {last}. A lower optim.base_lr" in said
    assert torch.load(last, weights_only=True)["epoch"] == 0


def test_weights_that_are_not_finite_end_in_no_encoder(pretrain_in_process, monkeypatch, capsys, tmp_path):
    def spoilt(task):
        if task.current_epoch == 1:  # the last one, after its last loss
            task.method.encoder.cls_token.data.fill_(np.nan)

    monkeypatch.setattr(SelfSupervised, "on_train_epoch_end", spoilt, raising=False)
    with pytest.raises(SystemExit) as ended:
        pretrain_in_process("epochs=2", "health.every=0", "monitor=loss")
    assert ended.value.code == 2
    (last,) = (tmp_path / "runs").rglob("last.ckpt")
    said = capsys.readouterr().err
    assert "error: the weights (method.encoder.cls_token) are not finite after epoch 2" in said
    assert f"The last good checkpoint is {last}" in said
    state = torch.load(last, weights_only=True)
    assert state["epoch"] == 0
    assert all(value.isfinite().all() for value in state["state_dict"].values())
    assert not list((tmp_path / "runs").rglob("encoder.safetensors"))


def test_nothing_is_judged_while_the_learning_rate_still_rises(pretrain_in_process, monkeypatch, capsys):
    collapsing(monkeypatch, after=0)
    _, job = pretrain_in_process("epochs=2", "optim.warmup_epochs=2", "health.patience=1")
    assert "careful: no check comes after the warm-up" in capsys.readouterr().out
    assert read_about(job.folder.encoder)["marks"] == {}
