"""The history of a run, and its resume."""

import pandas as pd
import pytest
import pytorch_lightning as pl

from mk11.errors import UserError
from mk11.loop.callbacks import History, read_history
from mk11.runs.folder import RunFolder


class Trainer(pl.Trainer):
    """As much of Lightning's trainer as is looked at."""

    is_global_zero = current_epoch = None

    def __init__(self):
        pass


def resumed(folder, *, epochs, first=True):
    """What is left of the history where a run goes on after so many complete epochs."""
    trainer = Trainer()
    trainer.is_global_zero, trainer.current_epoch = first, epochs
    History(folder).on_train_start(trainer, pl.LightningModule())
    return read_history(folder)


@pytest.fixture
def folder(tmp_path):
    """A run of three epochs."""
    folder = RunFolder(tmp_path)
    pd.DataFrame({"epoch": [1, 2, 3], "loss": [0.5, 0.25, 0.125]}).to_csv(folder.history, index=False)
    return folder


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_rows_beyond_the_last_complete_epoch_go(folder, epochs):
    table = resumed(folder, epochs=epochs)
    assert table["epoch"].tolist() == list(range(1, epochs + 1))
    assert table["loss"].iloc[-1] == 0.5**epochs


def test_a_start_anew_begins_with_no_history(folder):
    assert resumed(folder, epochs=0).empty
    assert not folder.history.exists()


def test_only_one_device_writes_the_history(folder):
    assert len(resumed(folder, epochs=1, first=False)) == 3


@pytest.mark.parametrize("content", ["", "loss\n0.5\n", "epoch\nfirst\n", 'epoch,loss\n1,2,3\n"', "\0\0\0\n"])
def test_a_damaged_history_is_told(folder, content):
    folder.history.write_text(content)
    with pytest.raises(UserError, match=r"metrics\.csv must be a table of epochs .*rerun=true starts anew"):
        read_history(folder)
