import pytest
from run_folders import Cells, write_run
from wandb_stub import no_account, server  # noqa: F401

from mk11.runs.ledger import read_run
from mk11.training.loggers import wandb_run

SETTINGS = {
    "mode": "online",
    "project": "mk11",
    "entity": None,
    "tags": [],
    "real_names": False,
    "init_timeout": 5,
    "finish_timeout": 10,
}


@pytest.fixture
def settings():
    """The keys of the config's `logger.wandb`; a test may change them."""
    return dict(SETTINGS)


@pytest.fixture
def stored(tmp_path):
    """Write a finished run; returns it as the ledger reads it."""

    def write(**changes):
        return read_run(write_run(tmp_path / "runs", **{"cells": Cells(images=(30, 20, 15, 5)), **changes}))

    return write


@pytest.fixture(scope="session")
def mirror():
    """Start the W&B mirror of a run."""

    def start(run, mode="online", **changes):
        told = {**SETTINGS, "mode": mode, **changes}
        return wandb_run(folder=run.folder, config=run.config, record=run.record, **told)

    return start
