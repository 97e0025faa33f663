import importlib.util
import time
from pathlib import Path

import pytest
import wandb

from mk11.errors import UserError
from mk11.files import read_json
from mk11.runs.folder import RunFolder
from mk11.training.loggers import wandb_run

spec = importlib.util.spec_from_file_location("wandb_stub", Path(__file__).with_name("wandb_stub.py"))
wandb_stub = importlib.util.module_from_spec(spec)
spec.loader.exec_module(wandb_stub)

RECORD = {"model": "m", "fold": 0, "seed": 0, "experiment": "e", "identity": "0123abcd"}


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """No account, no settings of the machine's user."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    yield monkeypatch
    wandb.teardown()  # W&B keeps its settings for the process: each test starts without them


def mirror(path, mode):
    return wandb_run(
        folder=RunFolder(path),
        config={"optim": {"base_lr": 1e-3}},
        record=RECORD,
        mode=mode,
        project="mk11",
        entity=None,
        tags=[],
        init_timeout=5,
        finish_timeout=5,
    )


def test_offline_a_second_start_continues_the_same_run(environment, tmp_path):
    ids = []
    for step in (1, 2):
        logger = mirror(tmp_path, "offline")
        logger.log_metrics({"val/pr_auc": 0.5}, step=step)
        ids.append(logger.version)
        logger.finish(0)
    assert ids[0] == ids[1] == read_json(tmp_path / "wandb.json")["id"]
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 2


def test_offline_leaves_the_process_free_to_go_online(environment, tmp_path):
    import os

    mirror(tmp_path, "offline").finish(0)
    assert "WANDB_MODE" not in os.environ


def test_disabled_writes_nothing_but_the_id(environment, tmp_path):
    logger = mirror(tmp_path, "disabled")
    logger.log_metrics({"val/pr_auc": 0.5})
    logger.finish(0)
    assert [path.name for path in tmp_path.iterdir() if path.name == "wandb"] == []


def test_without_a_key_it_says_so_and_goes_on(environment, tmp_path, capfd):
    logger = mirror(tmp_path, "online")
    logger.log_metrics({"val/pr_auc": 0.5})
    logger.finish(0)
    assert logger.version is None
    assert "warning: W&B failed to start; the run goes on without it" in capfd.readouterr().err


def test_an_unreachable_server_is_given_up_in_bounded_time(environment, tmp_path, capfd):
    environment.setenv("WANDB_API_KEY", "a" * 40)
    environment.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    start = time.monotonic()
    logger = mirror(tmp_path, "online")
    assert time.monotonic() - start < 30
    assert logger.version is None
    assert "the run goes on without it" in capfd.readouterr().err


def test_a_server_that_dies_mid_run_does_not_fail_the_run(environment, tmp_path):
    stub = wandb_stub.WandbStub()
    environment.setenv("WANDB_API_KEY", "a" * 40)
    environment.setenv("WANDB_BASE_URL", stub.url)
    logger = mirror(tmp_path, "online")
    assert logger.version is not None
    assert "UpsertBucket" in stub.operations
    stub.die()
    logger.log_metrics({"val/pr_auc": 0.5}, step=1)
    logger.summarise({"val": {"pr_auc": 0.5}})
    start = time.monotonic()
    logger.finish(1)
    assert time.monotonic() - start < 30


def test_an_unknown_mode_is_refused(tmp_path):
    with pytest.raises(
        UserError, match=r"logger\.wandb\.mode must be one of online, offline, disabled, but is on"
    ):
        mirror(tmp_path, "on")
