"""The border of `select.py`: its keys, checked before images are read; the groups check their own."""

from collections.abc import Mapping
from typing import Any

from mk11.cli.keys import OF_A_TRAINER, WHOLE, Keys, check_keys, keys
from mk11.cli.rules import COUNT, NATURAL, POSITIVE, Rule, check_choices, check_fold, check_numbers
from mk11.data.near_duplicates import BITS
from mk11.errors import UserError
from mk11.runs.identity import flatten

KEYS: Mapping[str, Keys] = {  # constructors know the keys of the other groups
    WHOLE: keys(
        "budget", "crop", "crops", "data", "dry", "duplicates", "encoder", "fields", "filter", "fold",
        "gallery", "identify", "jobs", "jobs_per_gpu", "jobs_timeout", "logger", "name", "rerun", "runs",
        "score", "seed", "selection", "stage", "threads", "trainer", "workers",
    ),
    "encoder": keys("architecture", "batch_size", "class_token", "image_size", "run", "weights"),
    "trainer": keys(*OF_A_TRAINER),
}  # fmt: skip
NUMBERS: Mapping[str, Rule] = {
    "budget": COUNT,
    "duplicates": (int, f"a whole number from 0 to {BITS}", lambda value: 0 <= value <= BITS),
    "encoder.batch_size": COUNT,
    "encoder.image_size": COUNT,
    "jobs": COUNT,
    "jobs_per_gpu": COUNT,
    "jobs_timeout": POSITIVE,
    "seed": NATURAL,
    "threads": COUNT,
    "workers": NATURAL,
}
NULLABLE = ("budget", "duplicates", "encoder.image_size", "jobs_timeout", "threads")
CHOICES: Mapping[str, tuple[object, ...]] = {
    "crops": ("png", "shards", "none"),
    "encoder.class_token": (False, True),
    "identify": (False, True),
    "rerun": (False, True, "stale"),
    "score": ("auto", False, True),
    "trainer.accelerator": ("auto", "cpu", "gpu"),
    "trainer.precision": ("auto", "fp32", "bf16", "fp16"),
}


def check_config(config: Mapping[str, Any]) -> None:
    """UserError for the first key whose value breaks its rule; `config` is resolved, in plain containers."""
    check_keys(config, KEYS)
    values = dict(flatten(config))
    check_numbers(values, NUMBERS, NULLABLE)
    check_fold(values["fold"])
    check_choices(values, CHOICES)
    if values["fold"] == "all":
        raise UserError(
            "fold must be one fold or final, since each has a selection of its own, but is all;"
            " python select.py -m fold=0,1,2,3,4 makes those of five folds"
        )
    run, architecture = values["encoder.run"], values["encoder.architecture"]
    if (run is None) == (architecture is None):
        raise UserError(
            f"encoder must have a run or an architecture, one of both, but has run {run} and architecture"
            f" {architecture}"
        )
