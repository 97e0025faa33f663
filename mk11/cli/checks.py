"""The border of `train.py`: its keys are checked here before images are read; `data` checks its own."""

from collections.abc import Mapping
from typing import Any

from mk11.cli.keys import (
    EVERY_PART,
    OF_A_TRAINER,
    OF_AN_OPTIMISER,
    OF_EVERY_RUN,
    WHOLE,
    Keys,
    check_keys,
    keys,
)
from mk11.cli.rules import (
    BELOW_ONE,
    CHOICES_OF_EVERY_RUN,
    NOT_NEGATIVE,
    NULLABLE_IN_EVERY_RUN,
    NUMBERS_OF_EVERY_RUN,
    SHARE,
    Rule,
    check_choices,
    check_fold,
    check_images,
    check_list,
    check_numbers,
    check_overrides,
    check_schedule,
)
from mk11.errors import UserError
from mk11.metrics.final import OVERALL
from mk11.runs.analysis import declared_pairs
from mk11.runs.identity import flatten

KEYS: Mapping[str, Keys] = {
    # conf/augment reads crop_scale where it is given
    WHOLE: keys(*OF_EVERY_RUN, "ema_decay", "imbalance", "loss", "mix", "pretrain", may=("crop_scale",)),
    **EVERY_PART,
    "loss": keys("label_smoothing"),
    "mix": keys("cutmix_alpha", "mixup_alpha", "probability", "switch_probability"),
    "optim": keys(*OF_AN_OPTIMISER, "reference_compatible"),
    "pretrain": keys("overrides", "ssl"),
    "trainer": keys(*OF_A_TRAINER),
}
NUMBERS: Mapping[str, Rule] = {
    **NUMBERS_OF_EVERY_RUN,
    "ema_decay": BELOW_ONE,
    "loss.label_smoothing": BELOW_ONE,
    "mix.cutmix_alpha": NOT_NEGATIVE,
    "mix.mixup_alpha": NOT_NEGATIVE,
    "mix.probability": SHARE,
    "mix.switch_probability": SHARE,
    "model.drop_path": BELOW_ONE,
}
NULLABLE = (*NULLABLE_IN_EVERY_RUN, "model.drop_path")

CHOICES: Mapping[str, tuple[object, ...]] = {
    **CHOICES_OF_EVERY_RUN,
    "analysis.primary": OVERALL,
    "monitor": (*OVERALL, "loss"),
    "optim.reference_compatible": (False, True),
}


def check_config(config: Mapping[str, Any]) -> None:
    """UserError for the first key whose value breaks its rule; `config` is resolved, in plain containers."""
    check_keys(config, KEYS)
    values = dict(flatten(config))
    check_numbers(values, NUMBERS, NULLABLE)
    check_fold(values["fold"])
    check_images(values)
    check_list("optim.betas", values["optim.betas"], BELOW_ONE, length=2)
    check_choices(values, CHOICES)
    declared_pairs(config["analysis"])
    _check_relations(config)


def _check_relations(config: Mapping[str, Any]) -> None:
    """Rules that tie one key to another."""
    shares = check_schedule(config)
    mixes = config["mix"]["mixup_alpha"] or config["mix"]["cutmix_alpha"]
    if mixes and (config["batch_size"] // shares) % 2:
        batch = config["batch_size"] // shares
        raise UserError(f"batch_size must give each device an even batch for mixing, but gives {batch}")
    check_overrides("pretrain.overrides", config["pretrain"]["overrides"])
    check_overrides("select.overrides", config["select"]["overrides"])
    if not isinstance(config["model"]["weights"], str):
        weights = config["model"]["weights"]
        raise UserError(f"model.weights must be none, imagenet, stage:pretrain or a file, but is {weights}")
