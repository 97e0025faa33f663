"""The border of the configuration: keys are checked here before images are read; `data` checks its own."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mk11.errors import UserError
from mk11.metrics.final import OVERALL
from mk11.runs.analysis import declared_pairs
from mk11.runs.identity import flatten

Rule = tuple[type, str, Callable[[Any], bool]]

COUNT: Rule = (int, "a whole number of at least 1", lambda value: value >= 1)
NATURAL: Rule = (int, "a whole number of at least 0", lambda value: value >= 0)
POSITIVE: Rule = (float, "a number above 0", lambda value: value > 0)
NOT_NEGATIVE: Rule = (float, "a number of at least 0", lambda value: value >= 0)
SHARE: Rule = (float, "a number in [0, 1]", lambda value: 0 <= value <= 1)
BELOW_ONE: Rule = (float, "a number in [0, 1)", lambda value: 0 <= value < 1)

NUMBERS: Mapping[str, Rule] = {
    "accumulate": COUNT,
    "batch_size": COUNT,
    "clip_norm": POSITIVE,
    "ema_decay": BELOW_ONE,
    "epochs": COUNT,
    "image_size": COUNT,
    "jobs": COUNT,
    "jobs_per_gpu": COUNT,
    "jobs_timeout": POSITIVE,
    "loss.label_smoothing": BELOW_ONE,
    "mix.cutmix_alpha": NOT_NEGATIVE,
    "mix.mixup_alpha": NOT_NEGATIVE,
    "mix.probability": SHARE,
    "mix.switch_probability": SHARE,
    "model.drop_path": BELOW_ONE,
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
OF_SOME_CHOICES: Mapping[str, Rule] = {  # keys that only some augmentations have
    "augment.brightness": SHARE,
    "augment.contrast": SHARE,
    "augment.hflip": SHARE,
    "augment.re_count": COUNT,
    "augment.re_prob": SHARE,
    "augment.saturation": SHARE,
    "augment.shift": BELOW_ONE,
}
RANGES: Mapping[str, Rule] = {
    "augment.ratio": POSITIVE,
    "augment.scale": (float, "a number in (0, 1]", lambda value: 0 < value <= 1),
    "augment.zoom": POSITIVE,
}
FOLD: Rule = (int, "all, final or a whole number of at least 0", lambda value: value >= 0)
NAMED_FOLDS = ("all", "final")
NULLABLE = ("clip_norm", "jobs_timeout", "model.drop_path", "threads")

TRIPLES = {"model.mean": NOT_NEGATIVE, "model.std": POSITIVE}  # red, green, blue

CHOICES: Mapping[str, tuple[object, ...]] = {
    "logger.wandb.mode": ("online", "offline", "disabled"),
    "logger.wandb.real_names": (False, True),
    "analysis.primary": OVERALL,
    "monitor": (*OVERALL, "loss"),
    "rerun": (False, True, "stale"),
    "trainer.accelerator": ("auto", "cpu", "gpu"),
    "trainer.precision": ("auto", "fp32", "bf16", "fp16"),
    "trainer.progress": ("auto", "bar", "lines", "none"),
}


def check_given(cfg: DictConfig) -> None:
    """UserError that names a key which has no value yet, such as `data.root` of your own cells."""
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise UserError(f"{missing[0]} must be given: add {missing[0]}=... to the command")


def check_config(config: Mapping[str, Any]) -> None:
    """UserError for the first key whose value breaks its rule; `config` is resolved, in plain containers."""
    values = dict(flatten(config))
    for key, rule in NUMBERS.items():
        if values[key] is not None or key not in NULLABLE:
            _check_number(key, values[key], rule)
    if values["fold"] not in NAMED_FOLDS:
        _check_number("fold", values["fold"], FOLD)
    _check_augmentation(values)
    for key, rule in TRIPLES.items():
        _check_list(key, values[key], rule, length=3)
    _check_list("optim.betas", values["optim.betas"], BELOW_ONE, length=2)
    for key, choices in CHOICES.items():
        if key in values and values[key] not in choices:
            told = ", ".join(str(choice).lower() for choice in choices)
            raise UserError(f"{key} must be one of {told}, but is {values[key]}")
    declared_pairs(config["analysis"])
    _check_relations(config)


def _check_augmentation(values: Mapping[str, Any]) -> None:
    for key in OF_SOME_CHOICES.keys() & values.keys():
        _check_number(key, values[key], OF_SOME_CHOICES[key])
    for key in RANGES.keys() & values.keys():
        _check_list(key, values[key], RANGES[key], length=2)
        if values[key][0] > values[key][1]:
            raise UserError(f"{key} must rise from least to most, but is {values[key]}")


def _check_number(key: str, value: object, rule: Rule) -> None:
    kind, told, holds = rule
    allowed = (int,) if kind is int else (int, float)
    if (
        not isinstance(value, allowed)
        or isinstance(value, bool)
        or not math.isfinite(value)
        or not holds(value)
    ):
        raise UserError(f"{key} must be {told}, but is {value}")


def _check_list(key: str, values: object, rule: Rule, *, length: int) -> None:
    if not isinstance(values, list) or len(values) != length:
        raise UserError(f"{key} must be a list of {length} numbers, but is {values}")
    for value in values:
        _check_number(f"each number of {key}", value, rule)


def _check_relations(config: Mapping[str, Any]) -> None:
    """Rules that tie one key to another."""
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
    mixes = config["mix"]["mixup_alpha"] or config["mix"]["cutmix_alpha"]
    if mixes and (batch // shares) % 2:
        raise UserError(
            f"batch_size must give each device an even batch for mixing, but gives {batch // shares}"
        )
    if not isinstance(config["model"]["weights"], str):
        raise UserError(
            f"model.weights must be none, imagenet or a file, but is {config['model']['weights']}"
        )
