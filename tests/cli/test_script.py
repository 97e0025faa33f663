"""What every script does around its run: owners and helpers of one run, results that are there already."""

import threading
import time

import pytest
from omegaconf import OmegaConf

from mk11.cli import script
from mk11.cli.base import BaseJob
from mk11.cli.matrix.cells import is_finished
from mk11.cli.script import run_once
from mk11.files import write_json
from mk11.runs.folder import RunFolder


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(script, "POLL", 0.01)
    monkeypatch.setattr(script, "commit", lambda: None)
    monkeypatch.setattr("mk11.cli.matrix.cells.commit", lambda: None)


class Job(BaseJob):
    """As much of a job as is looked at."""

    row = identity = marks = check = record = None

    def __init__(self, path, rerun=False, lines=()):
        super().__init__(OmegaConf.create({"threads": None, "rerun": rerun}), {}, [])
        self.folder = RunFolder(path)
        self.folder.path.mkdir(exist_ok=True)
        self.config = {"logger": {}}
        self.lines = lines

    @property
    def product(self):
        return self.folder.encoder

    def told_when_finished(self):
        return self.lines

    def value(self):
        return 0.5

    def finish(self):
        self.folder.update({"status": "finished", "commit": None})
        write_json(self.folder.metrics, {})
        self.product.write_bytes(b"encoder")

    def begin(self):
        self.folder.update({"status": "running"})
        self.folder.heartbeat.touch()


def once(job, calls):
    """What is called of one process."""

    def told(name):
        return lambda one: calls.append(name)

    def run(one):
        calls.append("run")
        one.finish()

    return run_once(job, run=run, help_out=told("help"), show=told("show"))


@pytest.fixture
def helper(monkeypatch):
    monkeypatch.setattr(script, "_is_helper", lambda: True)


def test_a_helper_of_a_finished_run_has_nothing_to_do(tmp_path, helper):
    job, calls = Job(tmp_path), []
    job.finish()
    assert once(job, calls) is None
    assert calls == []


@pytest.mark.parametrize("rerun", [False, True])
def test_a_helper_waits_until_the_run_has_begun(tmp_path, helper, rerun):
    job, calls = Job(tmp_path, rerun=rerun), []
    if rerun:
        job.finish()  # an earlier result, which the owner of the run is about to set aside
    thread = threading.Thread(target=once, args=(job, calls))
    thread.start()
    time.sleep(0.1)
    assert calls == []
    job.folder.set_aside()
    job.begin()
    thread.join(timeout=10)
    assert calls == ["help"]


def test_a_helper_does_not_follow_a_run_that_was_killed_long_ago(tmp_path, helper, monkeypatch):
    job, calls = Job(tmp_path), []
    job.folder.update({"status": "running"})  # with no heartbeat
    thread = threading.Thread(target=once, args=(job, calls))
    thread.start()
    time.sleep(0.1)
    assert calls == []
    job.begin()
    thread.join(timeout=10)
    assert calls == ["help"]


def test_a_finished_run_is_shown_with_what_it_has_otherwise(tmp_path, capsys):
    job, calls = Job(tmp_path, lines=["its health checks were others: every was 0, not 5"]), []
    assert once(job, calls) == 0.5
    assert once(job, calls) == 0.5
    assert calls == ["run", "show"]
    assert "\n  its health checks were others: every was 0, not 5\n" in capsys.readouterr().out


def test_a_run_whose_product_is_gone_is_made_again(tmp_path, capsys):
    job, calls = Job(tmp_path), []
    once(job, calls)
    job.product.unlink()
    assert not is_finished(job)
    once(job, calls)
    assert calls == ["run", "run"]
    assert f"{job.product} is gone: it is made again" in capsys.readouterr().out
    assert len(list((tmp_path / "previous").iterdir())) == 1


def test_a_finished_run_without_the_measure_asked_for_is_not_shown(tmp_path):
    job, calls = Job(tmp_path), []
    once(job, calls)
    job.value = lambda: {}["probe_f1_macro"]
    with pytest.raises(KeyError):
        once(job, calls)
    assert calls == ["run"]
