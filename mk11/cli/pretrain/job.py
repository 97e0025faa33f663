"""One pre-training: what is refused, what names it, what watches it, what it is worth."""

import copy
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mk11.cli.pretrain.checks import LOSS, check_config
from mk11.cli.pretrain.told import PretrainTold
from mk11.cli.record import stored_config
from mk11.cli.rules import check_given
from mk11.cli.stages.ensure import check_stage
from mk11.data.loader import CellLoaders
from mk11.errors import UserError
from mk11.files import read_json
from mk11.models.weights import locate_weights, weights_hash
from mk11.runs.identity import identity
from mk11.ssl.health.checks import HealthCheck
from mk11.ssl.health.watch import Watch
from mk11.ssl.settings import MEASURES, HealthSettings
from mk11.ssl.task import SelfSupervised, compile_method

# What cannot change the encoder that comes out, or is in the identity by its content.
WITHOUT_EFFECT = ("health", "monitor", "pool", "select", "model.drop_path", "trainer.grad_checkpointing")
OF_ONE_OPTIMISER = {"adamw": ("optim.betas",), "lars": ("optim.momentum", "optim.trust")}


@dataclass
class PretrainJob(PretrainTold):
    """One run of `pretrain.py`."""

    def check(self) -> None:
        """Tell every mistake that can be told before images are read.

        Raises:
            UserError: A key is missing or breaks its rule, weights are not there, or parts do not fit.
        """
        check_given(self.cfg)
        check_config(self.config)
        check_stage(self.selection, key="select", what="a selection")
        self.check_place()
        locate_weights(self.cfg.model.weights, architecture=self.cfg.model.architecture)
        self.precision, self.pool_definition  # noqa: B018  made here, used later
        views, wanted = getattr(self.transform, "views", 1), self.sketch.views
        if views != wanted:
            raise UserError(
                f"augment must give {wanted} view(s) of an image for ssl={self.row}, but"
                f" augment={self.choices['augment']} gives {views}"
            )
        self.sketch.check_batch(self.per_device)

    @property
    def product(self) -> Path:
        """The encoder."""
        return self.folder.encoder

    @property
    def signs(self) -> Sequence[Path]:
        """Files whose change means that the run, or the stage before it, goes on."""
        return (*super().signs, *(self.selection.signs if self.selection else ()))

    @cached_property
    def task(self) -> SelfSupervised:
        """Method, optimiser and schedule."""
        if self.cfg.trainer.compile:
            compile_method(self.method)
        return SelfSupervised(
            method=self.method,
            settings=self.settings,
            channels_last=self.cfg.trainer.channels_last,
            provenance=self.about(),
        )

    @cached_property
    def watch(self) -> Watch | None:
        """The health check; None where it is switched off."""
        settings, model = HealthSettings(**self.config["health"]), self.config["model"]
        if not settings.every:
            return None
        labelled = CellLoaders(
            fold=self.fold,
            train_transform=self.plain,
            eval_transform=self.plain,
            batch_size=self.per_device,  # one device looks
            accumulate=1,
            workers=self.cfg.workers,
            seed=self.cfg.seed,
        )
        check = HealthCheck(
            loaders=labelled,
            num_classes=len(self.fold.classes),
            settings=settings,
            precision=self.precision,
            seed=self.cfg.seed,
        )
        return Watch(
            check=check, settings=self.settings, folder=self.folder, mean=model["mean"], std=model["std"]
        )

    @property
    def collapsed(self) -> str | None:
        """What the last check so far found wrong, in words; None where it looked well or there was none."""
        return self.watch.collapsed if self.watch is not None else None

    @cached_property
    def identity(self) -> str:
        """Eight hex digits that name this run's result."""
        content = {
            # With its labels, which checks are scored by, though no label reaches the encoder: two encoders
            # are one run only where their checks mean the same.
            "fold": self.fold.fingerprint,
            "pool": self.pool_fingerprint,
            "weights": weights_hash(self.cfg.model.weights, architecture=self.cfg.model.architecture),
            "precision": self.precision,
        }
        return identity(_with_effect(self.config), content)

    def value(self) -> float:
        """The monitored measure of the last check, or the last epoch's loss.

        Raises:
            UserError: A finished run was not checked, so that it has no such measure.
        """
        final, monitor = read_json(self.folder.metrics)["final"], self.cfg.monitor
        if monitor not in final:
            has = ", ".join(name for name in (LOSS, *MEASURES) if name in final)
            raise UserError(
                f"monitor must be what the finished run {self.folder.path} has measured ({has}), but is"
                f" {monitor}; rerun=true does it again, with the checks that health asks for"
            )
        return final[monitor]

    def told_when_finished(self) -> Sequence[str]:
        """Checks change no encoder, so that a run with other ones is the same run."""
        theirs, ours = stored_config(self.folder).get("health") or {}, self.config["health"]
        told = [
            f"{key} was {theirs.get(key)}, not {ours[key]}" for key in ours if theirs.get(key) != ours[key]
        ]
        return [f"its health checks were others: {', '.join(told)}"] if told else []


def _with_effect(config: dict[str, Any]) -> dict[str, Any]:
    """The config without what cannot change the result."""
    other = [keys for name, keys in OF_ONE_OPTIMISER.items() if name != config["optim"]["name"]]
    left_out = {*WITHOUT_EFFECT, *(key for keys in other for key in keys)}
    kept = copy.deepcopy(config)
    for dotted in left_out:
        *groups, key = dotted.split(".")
        functools.reduce(dict.__getitem__, groups, kept).pop(key, None)
    return kept
