"""Runs that end in the middle, right after a checkpoint; and whether two runs are alike."""

from contextlib import contextmanager

import pandas as pd
import pytest
import torch

TIMES = ["data_wait", "images_per_second", "seconds", "peak_memory_gib"]  # of a pre-training's history


class Stopped(Exception):  # noqa: N818
    """Stands for whatever ends a run in the middle."""


@contextmanager
def stopped_after(epochs, *, callback):
    """Runs within end right after the checkpoint of that epoch, which `callback` (a class) saves."""
    save = callback.on_train_epoch_end

    def save_then_stop(own, trainer, module):
        save(own, trainer, module)
        if trainer.current_epoch + 1 == epochs:
            raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callback, "on_train_epoch_end", save_then_stop)
        yield


def weights(path):
    """Of a checkpoint."""
    return torch.load(path, weights_only=True)["state_dict"]


def same_weights(one, two):
    """Whether two runs ended with equal weights."""
    expected, found = weights(one.folder.last), weights(two.folder.last)
    assert expected.keys() == found.keys()
    return all(torch.equal(expected[key], found[key]) for key in expected)


def history(job):
    """A pre-training's epochs, without what the clock measured."""
    return pd.read_csv(job.folder.history).drop(columns=TIMES)
