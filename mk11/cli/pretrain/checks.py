"""The border of `pretrain.py`: its keys, checked before images are read; `data` and `pool` check theirs."""

from collections.abc import Mapping
from dataclasses import fields
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
    COUNT,
    NATURAL,
    NOT_NEGATIVE,
    NULLABLE_IN_EVERY_RUN,
    NUMBERS_OF_EVERY_RUN,
    POSITIVE,
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
from mk11.runs.identity import flatten
from mk11.ssl.settings import MEASURES, HealthSettings

LOSS = "loss"
KEYS: Mapping[str, Keys] = {
    WHOLE: keys(*OF_EVERY_RUN, "crop_scale", "health", "pool", "ssl"),
    **EVERY_PART,
    "health": keys(*(field.name for field in fields(HealthSettings))),
    "optim": keys(*OF_AN_OPTIMISER, "momentum", "name", "trust"),
    "pool": keys(
        "_target_", "folders", "manifests", "near_duplicates", "training", "um_per_pixel", may=("_convert_",)
    ),
    "ssl": keys("_target_", "encoder", may=None),  # the method's own: its constructor knows them
    "trainer": keys(*OF_A_TRAINER, "grad_checkpointing"),
}
NUMBERS: Mapping[str, Rule] = {
    **NUMBERS_OF_EVERY_RUN,
    "health.chance_margin": BELOW_ONE,
    "health.collapse_below": NOT_NEGATIVE,
    "health.every": NATURAL,
    "health.knn_k": COUNT,
    "health.knn_temperature": POSITIVE,
    "health.patience": COUNT,
    "health.pictures": NATURAL,
    "health.probe_batch": COUNT,
    "health.probe_epochs": COUNT,
    "health.probe_lr": POSITIVE,
    "optim.momentum": BELOW_ONE,
    "optim.trust": POSITIVE,
}
OF_SOME_METHODS: Mapping[str, Rule] = {  # what depends on the network the methods check
    "ssl.decoder_depth": COUNT,
    "ssl.decoder_dim": COUNT,
    "ssl.decoder_heads": COUNT,
    "ssl.mask_ratio": BELOW_ONE,
    "ssl.momentum": SHARE,
    "ssl.output_dim": COUNT,
    "ssl.projector_dim": COUNT,
    "ssl.temperature": POSITIVE,
}
CHOICES: Mapping[str, tuple[object, ...]] = {
    **CHOICES_OF_EVERY_RUN,
    "health.on_collapse": ("stop", "warn"),
    "monitor": (LOSS, *MEASURES),
    "optim.name": ("adamw", "lars"),
    "ssl.momentum_schedule": ("cosine", "constant"),
    "ssl.normalise_target": (False, True),
    "ssl.reference_compatible": (False, True),
    "ssl.stop_grad_patch_embed": (False, True),
    "trainer.grad_checkpointing": (False, True),
}


def check_config(config: Mapping[str, Any]) -> None:
    """UserError for the first key whose value breaks its rule; `config` is resolved, in plain containers."""
    check_keys(config, KEYS)
    values = dict(flatten(config))
    check_numbers(values, NUMBERS, NULLABLE_IN_EVERY_RUN)
    check_numbers(values, {key: rule for key, rule in OF_SOME_METHODS.items() if key in values}, ())
    check_fold(values["fold"])
    check_images(values)
    check_list("optim.betas", values["optim.betas"], BELOW_ONE, length=2)
    check_choices(values, CHOICES)
    check_schedule(config)
    check_overrides("select.overrides", config["select"]["overrides"])
    _check_relations(values)


def _check_relations(values: Mapping[str, Any]) -> None:
    if values["fold"] == "all":
        raise UserError(
            "fold must be one fold or final, since each has an encoder of its own, but is all;"
            " python pretrain.py -m fold=0,1,2,3,4 makes those of five folds"
        )
    if values["health.every"] == 0 and values["monitor"] != LOSS:
        raise UserError(f"monitor must be loss where health.every=0, but is {values['monitor']}")
    if values["ssl.encoder"] is not None:
        raise UserError("ssl.encoder must be left alone: model says what the encoder is")
