import sys

import pytest
from run_folders import Cells, write_run

from mk11.files import write_json
from mk11.search.submit import main

WANDB = {
    "mode": "offline",  # on the node; the trial is reported from the agent's machine
    "project": "mk11",
    "entity": None,
    "tags": [],
    "real_names": False,
    "init_timeout": 5,
    "finish_timeout": 10,
}


@pytest.fixture
def agent(server, no_account, tmp_path):
    """A server, and an environment as an agent of its sweep leaves it."""
    no_account.setenv("WANDB_SWEEP_ID", "sweep001")
    no_account.setenv("WANDB_RUN_ID", "trial001")
    no_account.setenv("WANDB_DIR", str(tmp_path))
    return server


@pytest.fixture
def runs(tmp_path):
    """Two folds, as a node has left them."""
    cells = Cells(images=(30, 20, 15, 5))
    config = {f"logger.wandb.{key}": value for key, value in WANDB.items()}
    return [write_run(tmp_path / "runs", fold=fold, cells=cells, config=config) for fold in (0, 1)]


def saying(text):
    """A command that sees no agent and whose last line is `text`."""
    return [sys.executable, "-c", f"import os; assert 'WANDB_RUN_ID' not in os.environ; print({text!r})"]


def test_all_folds_of_a_node_become_the_agents_trial(agent, runs, tmp_path, capsys):
    path = tmp_path / "runs" / "cv" / "0123abcd.json"
    values = {"0": 0.5, "1": 0.75}
    told = {"monitor": "pr_auc", "mean": 0.625, "sd": 0.18, "values": values, "runs": [*map(str, runs)]}
    write_json(path, told)
    assert main(saying(f"cross-validation: {path}")) == 0
    assert list(agent.runs) == ["trial001"]
    assert agent.runs["trial001"]["summary"]["cv/val_pr_auc_mean"] == pytest.approx(0.625)
    assert agent.runs["trial001"]["options"]["sweep"] == "sweep001"
    assert capsys.readouterr().out == f"cross-validation: {path}\n"


def test_one_fold_of_a_node_becomes_the_agents_run(agent, runs):
    assert main(saying(str(runs[1]))) == 0
    assert agent.runs["trial001"]["config"]["fold"] == 1
    assert "val/pr_auc" in agent.runs["trial001"]["summary"]


def test_a_command_that_fails_passes_its_status_on(agent, capsys):
    assert main([sys.executable, "-c", "import sys; print('no GPU', file=sys.stderr); sys.exit(3)"]) == 3
    assert "the command failed: no GPU (status 3)" in capsys.readouterr().err


def test_a_run_without_wandb_is_told_what_to_add(agent, tmp_path, capsys):
    path = write_run(tmp_path / "runs", fold=2, cells=Cells(images=(30, 20, 15, 5)))
    assert main(saying(str(path))) == 2
    assert "the command must have logger=wandb" in capsys.readouterr().err


def test_without_an_agent_it_says_what_it_is_for(no_account, capsys):
    assert main(["true"]) == 2
    assert "must be started by a W&B agent" in capsys.readouterr().err
