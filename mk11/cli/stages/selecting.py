"""The selection that a pre-training learns from.

`stage:select` in `pool.manifests` stands for the selection of the same data, fold and seed that `select`
describes. Its run folder follows from that, so that every fold finds its own selection.
"""

from mk11.cli.base import BaseJob
from mk11.cli.keys import OF_A_TRAINER
from mk11.cli.selection.job import SelectJob
from mk11.cli.stages.words import quoted, stage_config

STAGED = "stage:select"
GROUPS = ("data", "data/label_map", "trainer")
KEYS = ("fold", "seed", "runs", "workers", "threads")


def selection_of(job: BaseJob) -> SelectJob:
    """The selection that a pre-training's `stage:select` stands for."""
    given = job.config["select"]
    root = given["fields"]
    first = [] if root is None else ["fields=folder", f"fields.root={quoted(root)}"]
    cfg, choices, overrides = stage_config(
        "select",
        job,
        first=first,
        groups=GROUPS,
        keys=KEYS,
        parts={"data": None, "trainer": OF_A_TRAINER},
        own=[str(override) for override in given["overrides"]],
    )
    return SelectJob(cfg=cfg, choices=choices, overrides=overrides)
