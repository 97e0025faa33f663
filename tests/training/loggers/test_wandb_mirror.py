import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mk11.files import read_json, write_json
from mk11.runs.configurations import group_runs


def test_a_run_arrives_with_its_rows_its_config_and_its_end(server, stored, mirror):
    run = stored(fold=1, seed=2)
    logger = mirror(run, tags=["try"])
    for epoch in range(
        3
    ):  # Lightning counts from 0, and tells of validation and training one after the other
        logger.log_metrics({"val/pr_auc": 0.5 + epoch / 10, "epoch": epoch}, step=10 * epoch)
        logger.log_metrics({"train/loss": 1.0, "epoch": epoch}, step=10 * epoch)
    logger.finish(0)
    arrived = server.runs[read_json(run.folder.path / "wandb.json")["id"]]
    rows = [(row["epoch"], row["val/pr_auc"], row["train/loss"]) for row in arrived["history"].values()]
    assert rows == [(1, 0.5, 1.0), (2, 0.6, 1.0), (3, 0.7, 1.0)]
    assert arrived["options"]["displayName"] == "convnext-fold1-seed2"
    assert arrived["options"]["jobType"] == "train"
    assert arrived["options"]["tags"] == ["try"]
    assert arrived["exit_code"] == 0
    config = arrived["config"]
    assert (config["fold"], config["optim.base_lr"], config["model.drop_path"]) == (1, 0.008, 0.1)
    assert config["model"] == "convnext"  # the choice, as a sweep over models names it
    assert config["identity"] == run.record["identity"]


def test_folds_and_seeds_of_a_configuration_share_a_group_of_theirs_alone(server, stored, mirror):
    runs = [stored(fold=0), stored(fold=3, seed=1), stored(config={"optim.base_lr": 0.5})]
    groups = []
    for run in runs:
        logger = mirror(run)
        groups.append(server.runs[logger.target.id]["options"]["groupName"])
        logger.finish(0)
    assert groups[0] == groups[1] != groups[2]
    assert groups[0] == f"mk11/convnext {group_runs(runs[:2])[0].key}"


def test_three_runs_of_one_process_are_three_runs(server, stored, mirror):
    for fold in range(3):
        logger = mirror(stored(fold=fold))
        logger.log_metrics({"val/pr_auc": fold / 10, "epoch": 0}, step=1)
        logger.finish(0)
    assert sorted(row["val/pr_auc"] for run in server.runs.values() for row in run["history"].values()) == [
        0.0,
        0.1,
        0.2,
    ]
    assert len(server.runs) == 3


def test_a_failed_run_is_shown_as_failed(server, stored, mirror):
    logger = mirror(stored(status="failed"))
    logger.finish(1)
    assert server.runs[logger.target.id]["exit_code"] == 1


def test_marks_and_the_search_that_chose_the_settings_become_tags(server, stored, mirror):
    analysis = {"name": "a", "primary": "f1_macro", "baseline": None, "comparisons": [], "tuned": "cv5_mean"}
    logger = mirror(stored(marks={"leaks": ["P1 is on both sides"]}, analysis=analysis))
    options = server.runs[logger.target.id]["options"]
    assert options["tags"] == ["mark: leaks", "tuned: cv5_mean"]
    assert "P1" not in options["config"]


def test_offline_a_second_start_continues_the_same_run(no_account, stored, mirror):
    run, ids = stored(), []
    for epoch in (0, 1):
        logger = mirror(run, "offline")
        logger.log_metrics({"val/pr_auc": 0.5, "epoch": epoch}, step=1)
        ids.append(logger.target.id)
        logger.finish(0)
    assert ids[0] == ids[1] == read_json(run.folder.path / "wandb.json")["id"]
    assert len(list((run.folder.path / "wandb").glob("offline-run-*"))) == 2


@pytest.mark.parametrize("before", [None, "online"])
def test_offline_leaves_the_process_free_to_go_online(no_account, stored, mirror, before):
    if before:
        no_account.setenv("WANDB_MODE", before)
    mirror(stored(), "offline").finish(0)
    assert os.environ.get("WANDB_MODE") == before


def test_offline_prints_the_command_that_uploads_it_and_it_does(server, stored, mirror, capsys, tmp_path):
    logger = mirror(stored(), "offline")
    logger.log_metrics({"val/pr_auc": 0.5, "epoch": 0}, step=1)
    logger.finish(0)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "to upload it" in line]
    command = shlex.split(line.split(": ", 1)[1])
    assert command[:2] == ["wandb", "sync"]
    assert all(Path(part).is_dir() for part in command[2:])
    assert not server.runs
    script = Path(sys.executable).with_name("wandb")
    subprocess.run([script, *command[1:]], check=True, capture_output=True, timeout=60, cwd=tmp_path)
    (row,) = server.runs[logger.target.id]["history"].values()
    assert row["val/pr_auc"] == 0.5


def test_disabled_writes_nothing_but_the_id(no_account, stored, mirror):
    run = stored()
    before = {path.name for path in run.folder.path.iterdir()}
    logger = mirror(run, "disabled")
    logger.log_metrics({"val/pr_auc": 0.5, "epoch": 0})
    logger.finish(0)
    assert {path.name for path in run.folder.path.iterdir()} - before == {"wandb.json"}


def test_without_a_key_it_says_so_and_goes_on(no_account, stored, mirror, capfd):
    logger = mirror(stored())
    logger.log_metrics({"val/pr_auc": 0.5, "epoch": 0})
    logger.finish(0)
    assert logger.target is None
    assert "warning: W&B failed to start; the run goes on without it" in capfd.readouterr().err


def test_an_id_made_for_another_run_is_not_used(server, stored, mirror, capfd):
    run = stored()
    write_json(run.folder.path / "wandb.json", {"id": "abcd1234", "identity": "ffffffff"})
    assert mirror(run).target is None
    assert "was made for ffffffff" in capfd.readouterr().err
    assert not server.runs


@pytest.mark.timeout(90)
def test_an_unreachable_server_is_given_up_in_bounded_time(no_account, stored, mirror, capfd):
    no_account.setenv("WANDB_API_KEY", "a" * 40)
    no_account.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    logger = mirror(stored(), init_timeout=1)
    assert logger.target is None
    assert "the run goes on without it" in capfd.readouterr().err


@pytest.mark.timeout(90)
def test_a_server_that_dies_mid_run_does_not_fail_the_run_and_the_way_out_is_told(
    server, stored, mirror, capfd
):
    run = stored()
    logger = mirror(run, finish_timeout=3)
    assert "UpsertBucket" in server.operations
    server.die()
    logger.log_metrics({"val/pr_auc": 0.5, "epoch": 0}, step=1)
    logger.finish(0)
    assert f"python -m mk11.relay {run.folder.path}" in capfd.readouterr().err
    assert "arrived" not in read_json(run.folder.path / "wandb.json")


def test_what_arrived_is_remembered(server, stored, mirror):
    run = stored()
    logger = mirror(run)
    logger.publish(run.folder)
    logger.finish(0)
    arrived = read_json(run.folder.path / "wandb.json")["arrived"]
    assert (arrived["entity"], arrived["project"], arrived["run"]) == ("lab", "mk11", logger.target.id)


def test_an_agents_run_is_used_in_place_of_the_folders_own(server, stored, mirror, no_account):
    no_account.setenv("WANDB_SWEEP_ID", "sweep001")
    no_account.setenv("WANDB_RUN_ID", "agent001")
    no_account.setenv("WANDB_PROJECT", "of-the-sweep")
    logger = mirror(stored())
    logger.log_metrics({"val/pr_auc": 0.5, "epoch": 0}, step=1)
    logger.finish(0)
    assert list(server.runs) == ["agent001"]
    assert server.runs["agent001"]["options"]["sweep"] == "sweep001"
    assert server.runs["agent001"]["options"]["project"] == "of-the-sweep"
