import importlib.util
from pathlib import Path

import pytest
import wandb
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mk11.files import read_json
from mk11.runs.folder import RunFolder
from mk11.training.loggers import tensorboard, wandb_run

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
        ids.append(logger.target.id)
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
    assert logger.target is None
    assert "warning: W&B failed to start; the run goes on without it" in capfd.readouterr().err


@pytest.mark.timeout(90)
def test_an_unreachable_server_is_given_up_in_bounded_time(environment, tmp_path, capfd):
    environment.setenv("WANDB_API_KEY", "a" * 40)
    environment.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    logger = mirror(tmp_path, "online")
    assert logger.target is None
    assert "the run goes on without it" in capfd.readouterr().err


@pytest.mark.timeout(90)
def test_a_server_that_dies_mid_run_does_not_fail_the_run(environment, tmp_path):
    stub = wandb_stub.WandbStub()
    environment.setenv("WANDB_API_KEY", "a" * 40)
    environment.setenv("WANDB_BASE_URL", stub.url)
    logger = mirror(tmp_path, "online")
    assert logger.target is not None
    assert "UpsertBucket" in stub.operations
    stub.die()
    logger.log_metrics({"val/pr_auc": 0.5}, step=1)
    logger.summarise({"val": {"pr_auc": 0.5}})
    logger.finish(1)


class Broken:
    """A target that fails at every metric and remembers how it was ended."""

    ended = None

    def log(self, _):
        raise ConnectionError("lost")

    def finish(self, *, exit_code):
        self.ended = exit_code


def test_after_a_failure_it_is_silent_but_still_told_the_exit_code(environment, tmp_path, capsys):
    logger = mirror(tmp_path, "disabled")
    logger.target = Broken()
    for step in range(3):
        logger.log_metrics({"val/pr_auc": 0.5}, step=step)
    logger.finish(1)
    assert capsys.readouterr().err.count("W&B failed to log; the run goes on without it: lost") == 1
    assert logger.target.ended == 1


def test_tensorboard_writes_every_metric(tmp_path):
    logger = tensorboard(folder=RunFolder(tmp_path), config={}, record=RECORD)
    logger.log_metrics({"val/pr_auc": 0.25}, step=7)
    logger.finish(0)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    (event,) = events.Scalars("val/pr_auc")
    assert (event.step, event.value) == (7, 0.25)


def test_tensorboard_without_a_place_says_so_and_goes_on(tmp_path, capsys):
    (tmp_path / "tensorboard").write_text("in the way")
    logger = tensorboard(folder=RunFolder(tmp_path), config={}, record=RECORD)
    logger.log_metrics({"val/pr_auc": 0.25}, step=7)
    logger.finish(0)
    assert "warning: TensorBoard failed to start; the run goes on without it" in capsys.readouterr().err
