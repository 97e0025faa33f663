"""What a W&B agent hands to the command it starts, and how to keep it from that command's own children.

The agent (wandb 0.31, `wandb_agent.py`) names the sweep, the run and a file of parameters in the environment,
and W&B then takes that run for whatever is started under it: for each of the five folds of a trial.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

# Of the agent, and of the service process that it shares with what it starts.
SWEEP_VARIABLES = (
    "WANDB_SWEEP_ID",
    "WANDB_SWEEP_PARAM_PATH",
    "WANDB_RUN_ID",
    "WANDB_RUN_STORAGE_ID",
    "WANDB_RESUME",
    "WANDB_SERVICE",
)


@dataclass(frozen=True)
class Trial:
    """The sweep and the run that an agent has prepared on the server."""

    sweep: str
    run: str


def current_trial() -> Trial | None:
    """The trial that this process was started for by an agent, if it was."""
    sweep, run = os.environ.get("WANDB_SWEEP_ID"), os.environ.get("WANDB_RUN_ID")
    return Trial(sweep, run) if sweep and run else None


def without_sweep(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a child that is a run of its own: without what an agent has set for its parent."""
    return {key: value for key, value in environ.items() if key not in SWEEP_VARIABLES}
