"""`pretrain.py` a second time: finished, interrupted, or asked to do it anew."""

import pandas as pd
import pytest
from interrupted import Stopped, history, same_weights, stopped_after

from mk11.files import read_json
from mk11.ssl.callbacks import LastAndGood

METHODS = ("mae", "convmae", "mocov3", "mixmim")


def test_the_same_command_again_trains_nothing(pretrain_in_process, capsys):
    value, job = pretrain_in_process("epochs=1")
    before = {path: path.stat().st_mtime_ns for path in job.folder.path.rglob("*") if path.suffix}
    capsys.readouterr()
    again, _ = pretrain_in_process("epochs=1")
    assert "finished already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert again == value


def test_a_finished_run_without_checks_answers_for_no_checks(pretrain_in_process, capsys):
    _, job = pretrain_in_process("epochs=1", "health.every=0", "monitor=loss")
    with pytest.raises(SystemExit) as ended:
        pretrain_in_process("epochs=1")
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert "monitor must be what the finished run" in said.err
    assert "has measured (loss), but is probe_f1_macro; rerun=true does it again" in said.err
    assert "its health checks were others: every was 0, not 1" in said.out
    value, _ = pretrain_in_process("epochs=1", "rerun=true")
    assert value == read_json(job.folder.metrics)["final"]["probe_f1_macro"]


def test_rerun_gives_equal_numbers_and_keeps_the_old(pretrain_in_process):
    _, job = pretrain_in_process("epochs=1")
    first = read_json(job.folder.metrics)
    pretrain_in_process("epochs=1", "rerun=true")
    second = read_json(job.folder.metrics)
    assert second["final"] == first["final"]
    (kept,) = (job.folder.path / "previous").iterdir()
    assert read_json(kept / "metrics.json") == first


@pytest.mark.parametrize("ssl", METHODS)
def test_each_method_resumes_to_the_weights_of_an_uninterrupted_run(ssl, pretrain_in_process):
    chosen = (f"ssl={ssl}", "epochs=3", "accumulate=2", "workers=1" if ssl == "mae" else "workers=0")
    _, whole = pretrain_in_process(*chosen, "name=whole")
    with stopped_after(2, callback=LastAndGood), pytest.raises(Stopped):
        pretrain_in_process(*chosen, "name=broken")
    _, resumed = pretrain_in_process(*chosen, "name=broken")
    assert len(read_json(resumed.folder.record)["starts"]) == 2
    assert same_weights(whole, resumed)
    pd.testing.assert_frame_equal(history(whole), history(resumed), check_exact=True)
    assert read_json(whole.folder.metrics)["final"] == read_json(resumed.folder.metrics)["final"]


def test_looking_at_the_encoder_does_not_change_it(pretrain_in_process):
    _, watched = pretrain_in_process("health.every=1", "ssl=mocov3", "name=watched")
    _, alone = pretrain_in_process("health.every=0", "monitor=loss", "ssl=mocov3", "name=alone")
    assert same_weights(watched, alone)
    assert watched.identity == alone.identity
    assert not any(key.startswith(("val/", "health/")) for key in pd.read_csv(alone.folder.history))
