"""Rules that values of the configuration keep, and sentences about those that do not."""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mk11.errors import UserError

Rule = tuple[type, str, Callable[[Any], bool]]

COUNT: Rule = (int, "a whole number of at least 1", lambda value: value >= 1)
NATURAL: Rule = (int, "a whole number of at least 0", lambda value: value >= 0)
POSITIVE: Rule = (float, "a number above 0", lambda value: value > 0)
NOT_NEGATIVE: Rule = (float, "a number of at least 0", lambda value: value >= 0)
SHARE: Rule = (float, "a number in [0, 1]", lambda value: 0 <= value <= 1)
BELOW_ONE: Rule = (float, "a number in [0, 1)", lambda value: 0 <= value < 1)

FOLD: Rule = (int, "all, final or a whole number of at least 0", lambda value: value >= 0)
NAMED_FOLDS = ("all", "final")

NUMBERS_OF_EVERY_RUN: Mapping[str, Rule] = {
    "accumulate": COUNT,
    "batch_size": COUNT,
    "clip_norm": POSITIVE,
    "epochs": COUNT,
    "image_size": COUNT,
    "jobs": COUNT,
    "jobs_per_gpu": COUNT,
    "jobs_timeout": POSITIVE,
    "optim.base_lr": POSITIVE,
    "optim.layer_decay": (float, "a number in (0, 1]", lambda value: 0 < value <= 1),
    "optim.min_lr": NOT_NEGATIVE,
    "optim.warmup_epochs": NOT_NEGATIVE,
    "optim.weight_decay": NOT_NEGATIVE,
    "seed": NATURAL,
    "threads": COUNT,
    "trainer.devices": COUNT,
    "trainer.num_nodes": COUNT,
    "workers": NATURAL,
}
NULLABLE_IN_EVERY_RUN = ("clip_norm", "jobs_timeout", "threads")
CHOICES_OF_EVERY_RUN: Mapping[str, tuple[object, ...]] = {
    "logger.wandb.mode": ("online", "offline", "disabled"),
    "logger.wandb.real_names": (False, True),
    "rerun": (False, True, "stale"),
    "trainer.accelerator": ("auto", "cpu", "gpu"),
    "trainer.precision": ("auto", "fp32", "bf16", "fp16"),
    "trainer.progress": ("auto", "bar", "lines", "none"),
}
OF_SOME_CHOICES: Mapping[str, Rule] = {  # keys that only some augmentations have
    "augment.brightness": SHARE,
    "augment.contrast": SHARE,
    "augment.grey": SHARE,
    "augment.hflip": SHARE,
    "augment.hue": (float, "a number in [0, 0.5]", lambda value: 0 <= value <= 0.5),
    "augment.jitter": SHARE,
    "augment.re_count": COUNT,
    "augment.re_prob": SHARE,
    "augment.saturation": SHARE,
    "augment.shift": BELOW_ONE,
}
OF_TWO_VIEWS: Mapping[str, Rule] = {"augment.blur": SHARE, "augment.solarise": SHARE}  # one for each
AREA: Rule = (float, "a number in (0, 1]", lambda value: 0 < value <= 1)
RANGES: Mapping[str, Rule] = {
    "augment.blur_radius": POSITIVE,
    "augment.ratio": POSITIVE,
    "crop_scale": AREA,  # before what is made of it
    "augment.scale": AREA,
    "augment.zoom": POSITIVE,
}
TRIPLES = {"model.mean": NOT_NEGATIVE, "model.std": POSITIVE}  # red, green, blue


def check_given(cfg: DictConfig) -> None:
    """UserError that names a key which has no value yet, such as `data.root` of your own cells."""
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise UserError(f"{missing[0]} must be given: add {missing[0]}=... to the command")


def check_numbers(values: Mapping[str, Any], rules: Mapping[str, Rule], nullable: Collection[str]) -> None:
    """UserError for the first key whose number breaks its rule; those in `nullable` may be null."""
    for key, rule in rules.items():
        if values[key] is not None or key not in nullable:
            check_number(key, values[key], rule)


def check_fold(fold: object) -> None:
    """UserError unless it is the number or the name of a fold."""
    if fold not in NAMED_FOLDS:
        check_number("fold", fold, FOLD)


def check_images(values: Mapping[str, Any]) -> None:
    """UserError for the first key of augmentation and normalisation that breaks its rule."""
    check_ranges(values, RANGES)
    check_numbers(values, {key: rule for key, rule in OF_SOME_CHOICES.items() if key in values}, ())
    for key in OF_TWO_VIEWS.keys() & values.keys():
        check_list(key, values[key], OF_TWO_VIEWS[key], length=2)
    for key, rule in TRIPLES.items():
        check_list(key, values[key], rule, length=3)


def check_overrides(key: str, values: object) -> None:
    """UserError unless it is a list of what a command line may say."""
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        raise UserError(f"{key} must be a list of key=value, but is {values}")


def check_ranges(values: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    """UserError for a key, of those there are, that is no pair from least to most."""
    for key in (key for key in rules if key in values):
        check_list(key, values[key], rules[key], length=2)
        if values[key][0] > values[key][1]:
            raise UserError(f"{key} must rise from least to most, but is {values[key]}")


def check_choices(values: Mapping[str, Any], rules: Mapping[str, tuple[object, ...]]) -> None:
    """UserError for a key, of those there are, that is none of its choices."""
    for key, choices in rules.items():
        if key in values and values[key] not in choices:
            told = ", ".join(str(choice).lower() for choice in choices)
            raise UserError(f"{key} must be one of {told}, but is {values[key]}")


def check_schedule(config: Mapping[str, Any]) -> int:
    """UserError where warm-up, learning rates or batch do not go together; returns the batch's shares.

    A batch is shared out among the devices and, on each, among the batches that are accumulated.
    """
    optim, epochs, batch = config["optim"], config["epochs"], config["batch_size"]
    if optim["warmup_epochs"] > epochs:
        raise UserError(
            f"optim.warmup_epochs must be at most epochs={epochs}, but is {optim['warmup_epochs']}"
        )
    peak = optim["base_lr"] * batch / 256
    if optim["min_lr"] >= peak:
        raise UserError(f"optim.min_lr must be below the learning rate {peak:g}, but is {optim['min_lr']}")
    devices = config["trainer"]["devices"] * config["trainer"]["num_nodes"]
    shares = devices * config["accumulate"]
    if batch % shares:
        raise UserError(
            f"batch_size must be a multiple of devices x accumulate ({devices} x {config['accumulate']}),"
            f" but is {batch}"
        )
    return shares


def check_number(key: str, value: object, rule: Rule) -> None:
    """UserError unless it is a number that keeps the rule."""
    kind, told, holds = rule
    allowed = (int,) if kind is int else (int, float)
    if (
        not isinstance(value, allowed)
        or isinstance(value, bool)
        or not math.isfinite(value)
        or not holds(value)
    ):
        raise UserError(f"{key} must be {told}, but is {value}")


def check_list(key: str, values: object, rule: Rule, *, length: int) -> None:
    """UserError unless it is a list of so many numbers that keep the rule."""
    if not isinstance(values, list) or len(values) != length:
        raise UserError(f"{key} must be a list of {length} numbers, but is {values}")
    for value in values:
        check_number(f"each number of {key}", value, rule)
