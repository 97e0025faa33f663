"""What is kept after an epoch, and said."""

import math
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from mk11.errors import UserError
from mk11.runs.folder import RunFolder
from mk11.ssl.callbacks import LastAndGood, not_finite
from mk11.ssl.health.watch import Complaint, Verdict, Watch


class Network(pl.LightningModule):
    """A bias, and a buffer of statistics."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)


class Trainer(pl.Trainer):
    """As much of Lightning's trainer as is looked at."""

    max_epochs = 3
    current_epoch = 1
    is_global_zero = None
    callback_metrics = {"pretrain/loss": 0.5, "data_wait": 0.25}  # noqa: RUF012
    strategy = SimpleNamespace(broadcast=lambda told: told)

    def __init__(self, first=True):
        self.is_global_zero = first

    def save_checkpoint(self, path):
        torch.save({"epoch": self.current_epoch}, path)


def test_the_line_of_an_epoch_comes_when_its_checkpoint_is_there(tmp_path, capsys, monkeypatch):
    folder, there = RunFolder(tmp_path), []
    line = "mk11.ssl.callbacks.epoch_line"
    monkeypatch.setattr(line, lambda trainer: there.append(torch.load(folder.last)["epoch"]) or "said")
    LastAndGood(folder, None, says_lines=True).on_train_epoch_end(Trainer(), Network())
    assert there == [1]
    assert capsys.readouterr().out == "said\n"


def test_an_epoch_is_told_in_one_line(tmp_path, capsys):
    LastAndGood(RunFolder(tmp_path), None, says_lines=True).on_train_epoch_end(Trainer(), Network())
    assert capsys.readouterr().out == "epoch 2/3  loss 0.5000  data wait 25%\n"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_replace_no_checkpoint(tmp_path, value):
    keep, network = LastAndGood(RunFolder(tmp_path), None, says_lines=False), Network()
    folder = keep.folder
    keep.on_train_epoch_end(Trainer(), network)
    before = folder.last.read_bytes()
    network.norm.running_mean[1] = value
    with pytest.raises(UserError) as stopped:
        keep.on_train_epoch_end(Trainer(), network)
    assert str(stopped.value).startswith("the weights (norm.running_mean) are not finite after epoch 2.")
    assert f"The last good checkpoint is {folder.last}. A lower optim.base_lr" in str(stopped.value)
    assert folder.last.read_bytes() == before


def test_without_an_epoch_before_there_is_none_to_name(tmp_path):
    network = Network()
    network.norm.weight.data.fill_(math.nan)
    with pytest.raises(UserError, match=r"No epoch before ended well\. A lower"):
        LastAndGood(RunFolder(tmp_path), None, says_lines=False).on_train_epoch_end(Trainer(), network)


def test_whole_numbers_are_finite():
    assert not_finite(nn.BatchNorm1d(2)) is None  # it counts its batches


def verdict(found):
    watch = Watch.__new__(Watch)
    watch.found = found
    return Verdict(watch)


@pytest.mark.parametrize("first", [True, False])
def test_a_complaint_that_stops_does_so_on_every_device(first):
    with pytest.raises(UserError, match=r"^over$"):
        verdict(Complaint("over", stops=True)).on_train_epoch_end(Trainer(first), Network())


def test_other_complaints_are_told_once(capsys):
    for first in (True, False):
        verdict(Complaint("odd", stops=False)).on_train_epoch_end(Trainer(first), Network())
    verdict(None).on_train_epoch_end(Trainer(), Network())
    assert capsys.readouterr().err == "warning: odd\n"
