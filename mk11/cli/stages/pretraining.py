"""The pre-training that a training begins from.

`model.weights=stage:pretrain` stands for the pre-training of the same data, fold, seed, network and image
size that `pretrain.ssl` and `pretrain.overrides` describe. Its run folder follows from that, so that every
fold finds its own encoder, and all trainings that mean the same one share it.
"""

from mk11.cli.base import BaseJob
from mk11.cli.pretrain.job import PretrainJob
from mk11.cli.stages.words import quoted, stage_config
from mk11.errors import UserError

STAGED = "stage:pretrain"
GROUPS = ("data", "data/label_map", "model", "trainer", "logger")
KEYS = ("fold", "seed", "runs", "name", "image_size", "workers", "threads")
OF_THE_NETWORK = ("architecture", "variant", "options", "mean", "std")  # keys of `model` that are passed


def pretraining_of(job: BaseJob) -> PretrainJob:
    """The pre-training that a training's `stage:pretrain` stands for.

    Raises:
        UserError: pretrain.ssl says no method, or the overrides do not compose.
    """
    given = job.config["pretrain"]
    if given["ssl"] is None:
        raise UserError(f"pretrain.ssl must be a method for model.weights={STAGED}, such as mae, but is null")
    # The selection before it is described where the training is.
    select = [f"select.{key}={quoted(value)}" for key, value in job.config["select"].items() if value]
    cfg, choices, overrides = stage_config(
        "pretrain",
        job,
        first=[f"ssl={given['ssl']}", *select],
        groups=GROUPS,
        keys=KEYS,
        parts={"data": None, "trainer": None, "logger": None, "model": OF_THE_NETWORK},
        own=[str(override) for override in given["overrides"]],
    )
    return PretrainJob(cfg=cfg, choices=choices, overrides=overrides)
