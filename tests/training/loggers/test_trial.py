import statistics

import pytest
import wandb

from mk11.runs.configurations import group_runs
from mk11.training.loggers import log_cross_validation, report_to_agent
from mk11.training.loggers.trial import cross_validation_metrics

VALUES = {0: 0.5, 1: 0.7, 2: 0.9}


@pytest.fixture
def agent(server, no_account):
    """A server, and an environment as an agent of its sweep leaves it."""
    no_account.setenv("WANDB_SWEEP_ID", "sweep001")
    no_account.setenv("WANDB_RUN_ID", "trial001")
    return server


def cross_validate(settings, runs, place, values=VALUES):
    log_cross_validation(
        logger={"wandb": settings},
        folders=[run.folder.path for run in runs],
        values=values,
        monitor="pr_auc",
        place=place,
    )


def test_mean_and_sample_deviation_are_over_the_folds():
    told = cross_validation_metrics(VALUES, "pr_auc")
    assert told == {
        "cv/val_pr_auc_fold0": 0.5,
        "cv/val_pr_auc_fold1": 0.7,
        "cv/val_pr_auc_fold2": 0.9,
        "cv/val_pr_auc_mean": pytest.approx(0.7),
        "cv/val_pr_auc_sd": pytest.approx(statistics.stdev([0.5, 0.7, 0.9])),
    }


@pytest.mark.parametrize("values", [{}, {0: None}, {0: 0.5, 1: None}])
def test_a_fold_without_a_value_leaves_no_mean(values):
    told = cross_validation_metrics(values, "pr_auc")
    assert "cv/val_pr_auc_mean" not in told
    assert "cv/val_pr_auc_sd" not in told


def test_one_fold_has_no_deviation():
    assert cross_validation_metrics({3: 0.5}, "loss") == {"cv/val_loss_fold3": 0.5, "cv/val_loss_mean": 0.5}


def test_a_trial_is_one_run_the_agents_with_the_mean_of_the_folds(agent, settings, stored, tmp_path):
    runs = [stored(fold=fold) for fold in VALUES]
    cross_validate(settings, runs, tmp_path / "cv" / "0123abcd")
    assert list(agent.runs) == ["trial001"]
    trial = agent.runs["trial001"]
    assert trial["options"]["sweep"] == "sweep001"
    assert trial["options"]["jobType"] == "cross-validation"
    assert trial["options"]["groupName"] == f"mk11/convnext {group_runs(runs)[0].key}"
    assert trial["summary"]["cv/val_pr_auc_mean"] == pytest.approx(0.7)
    assert trial["config"]["optim.base_lr"] == 0.008
    assert "fold" not in trial["config"]
    assert not [name for name in trial["summary"] if name.startswith("test/")]
    assert trial["exit_code"] == 0


def test_without_an_agent_a_trial_keeps_an_id_of_its_own(server, settings, stored, tmp_path):
    runs = [stored(fold=fold) for fold in VALUES]
    for _ in range(2):
        cross_validate(settings, runs, tmp_path / "cv" / "0123abcd")
    (trial,) = server.runs.values()
    assert trial["options"]["displayName"] == "convnext-all-folds-seed0"


def test_a_trial_with_a_failed_fold_is_a_failed_run_without_a_mean(agent, settings, stored, tmp_path):
    cross_validate(settings, [stored(fold=0)], tmp_path / "cv", {0: 0.5, 1: None})
    trial = agent.runs["trial001"]
    assert trial["exit_code"] == 1
    assert trial["summary"]["cv/val_pr_auc_fold0"] == 0.5
    assert "cv/val_pr_auc_mean" not in trial["summary"]


def test_a_trial_none_of_whose_folds_finished_is_a_failed_run(agent, settings, tmp_path):
    cross_validate(settings, [], tmp_path / "cv", {0: None, 1: None})
    assert agent.runs["trial001"]["exit_code"] == 1


def test_runs_kept_offline_elsewhere_do_not_keep_the_trial_from_the_server(agent, settings, stored, tmp_path):
    cross_validate({**settings, "mode": "offline"}, [stored(fold=0)], tmp_path / "cv", {0: 0.5})
    assert agent.runs["trial001"]["summary"]["cv/val_pr_auc_mean"] == 0.5


def test_a_server_that_is_gone_does_not_fail_the_cross_validation(agent, settings, stored, tmp_path, capfd):
    agent.die()
    cross_validate({**settings, "init_timeout": 1}, [stored(fold=0)], tmp_path / "cv", {0: 0.5})
    assert "W&B failed to log the cross-validation; the run goes on without it" in capfd.readouterr().err


def test_a_run_that_was_finished_before_tells_the_agent_its_stored_result(agent, settings, stored):
    run = stored(fold=2)
    report_to_agent(logger={"wandb": settings}, folder=run.folder.path)
    (told,) = agent.runs.values()
    assert list(agent.runs) == ["trial001"]
    assert told["options"]["sweep"] == "sweep001"
    assert told["summary"]["val/pr_auc"] == pytest.approx(run.metrics["val"]["pr_auc"])
    assert len(told["history"]) == run.metrics["epochs"]
    best = max(row["val/pr_auc"] for row in told["history"].values())
    assert best == pytest.approx(run.metrics["best_validation"]["pr_auc"]["value"])
    assert (told["config"]["fold"], told["exit_code"]) == (2, 0)


def test_without_an_agent_or_without_wandb_nothing_is_told(server, settings, stored, no_account, tmp_path):
    run = stored()
    report_to_agent(logger={"wandb": settings}, folder=run.folder.path)
    no_account.setenv("WANDB_SWEEP_ID", "sweep001")
    no_account.setenv("WANDB_RUN_ID", "trial001")
    report_to_agent(logger={"tensorboard": {}}, folder=run.folder.path)
    log_cross_validation(logger={}, folders=[], values={0: 0.5}, monitor="pr_auc", place=tmp_path / "cv")
    assert not server.operations
    assert not (tmp_path / "cv").exists()
    assert wandb.run is None
