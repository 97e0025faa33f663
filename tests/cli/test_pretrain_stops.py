"""A pre-training that goes wrong: it stops, and says where the last good checkpoint is."""

import numpy as np
import pytest
import torch

from mk11.files import read_json
from mk11.ssl.health.checks import HealthCheck
from mk11.ssl.mae import MAE


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
    failing_loss(monkeypatch, step=3)  # of two steps an epoch
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


def test_a_collapse_may_be_told_and_no_more(pretrain_in_process, monkeypatch, capsys):
    collapsing(monkeypatch, after=0)
    keys = ("epochs=3", "optim.warmup_epochs=0", "health.patience=1", "health.on_collapse=warn")
    pretrain_in_process(*keys)
    assert capsys.readouterr().err.count("warning: the encoder has collapsed") == 3


def test_nothing_is_judged_while_the_learning_rate_still_rises(pretrain_in_process, monkeypatch):
    collapsing(monkeypatch, after=0)
    pretrain_in_process("epochs=2", "optim.warmup_epochs=2", "health.patience=1")
