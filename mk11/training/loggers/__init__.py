"""Mirrors of a run: TensorBoard and Weights & Biases. One that fails must not fail the run.

`conf/logger/` names the functions below; what W&B sweeps need of `train.py` is here too.
"""

from mk11.training.loggers.event_files import tensorboard
from mk11.training.loggers.mirror import Mirror
from mk11.training.loggers.sweep import current_trial, without_sweep
from mk11.training.loggers.trial import log_cross_validation, report_to_agent
from mk11.training.loggers.wandb_mirror import wandb_run

__all__ = [
    "Mirror",
    "current_trial",
    "log_cross_validation",
    "report_to_agent",
    "tensorboard",
    "wandb_run",
    "without_sweep",
]
