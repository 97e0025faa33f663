import ast
import inspect

import pytest
from wandb import wandb_agent

from mk11.training.loggers import current_trial, without_sweep
from mk11.training.loggers.sweep import SWEEP_VARIABLES

AGENT = {
    "WANDB_SWEEP_ID": "s",
    "WANDB_RUN_ID": "r",
    "WANDB_SWEEP_PARAM_PATH": "p",
    "WANDB_SERVICE": "2-1-unix-x",
}


def test_a_fold_of_a_trial_sees_nothing_of_the_agents_run_but_its_account_and_project():
    kept = {"WANDB_API_KEY": "k", "WANDB_PROJECT": "mk11", "WANDB_ENTITY": "lab", "WANDB_MODE": "offline"}
    assert without_sweep({**AGENT, **kept, "PATH": "/bin"}) == {**kept, "PATH": "/bin"}


def test_every_variable_that_the_agent_sets_for_a_run_is_known():
    """Read from the source of the installed agent, so that an update that sets another one is noticed."""
    names = {
        f"WANDB_{node.slice.attr}"
        for node in ast.walk(ast.parse(inspect.getsource(wandb_agent)))
        if isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node.value) == "os.environ"
        and isinstance(node.slice, ast.Attribute)
    }
    assert names >= {"WANDB_SWEEP_ID", "WANDB_RUN_ID"}
    assert names <= {*SWEEP_VARIABLES, "WANDB_DIR"}


@pytest.mark.parametrize("missing", ["WANDB_SWEEP_ID", "WANDB_RUN_ID"])
def test_a_process_is_a_trial_only_under_an_agent(monkeypatch, missing):
    for name, value in AGENT.items():
        monkeypatch.setenv(name, value)
    assert (current_trial().sweep, current_trial().run) == ("s", "r")
    monkeypatch.delenv(missing)
    assert current_trial() is None
