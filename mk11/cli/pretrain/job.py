"""One pre-training: what is refused, what names it, what watches it, what it says of itself."""

import copy
import functools
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from mk11.cli.lineage import TRANSDUCTIVE, inherited_marks, provenance, weights_report
from mk11.cli.pretrain.checks import check_config
from mk11.cli.pretrain.parts import PretrainParts
from mk11.cli.rules import check_given
from mk11.data.loader import CellLoaders
from mk11.errors import UserError
from mk11.files import read_json
from mk11.models.weights import locate_weights, weights_hash
from mk11.runs.identity import VERSION, identity
from mk11.ssl.health.checks import HealthCheck
from mk11.ssl.health.watch import Watch
from mk11.ssl.settings import HealthSettings
from mk11.ssl.task import SelfSupervised, compile_method

# What cannot change the encoder that comes out, or is in the identity by its content.
WITHOUT_EFFECT = ("health", "monitor", "pool", "model.drop_path", "trainer.grad_checkpointing")
OF_ONE_OPTIMISER = {"adamw": ("optim.betas",), "lars": ("optim.momentum", "optim.trust")}


@dataclass
class PretrainJob(PretrainParts):
    """One run of `pretrain.py`."""

    def check(self) -> None:
        """Tell every mistake that can be told before images are read.

        Raises:
            UserError: A key is missing or breaks its rule, weights are not there, or parts do not fit.
        """
        check_given(self.cfg)
        check_config(self.config)
        locate_weights(self.cfg.model.weights, architecture=self.cfg.model.architecture)
        self.precision, self.pool_definition  # noqa: B018  made here, used later
        views, wanted = getattr(self.transform, "views", 1), self.sketch.views
        if views != wanted:
            raise UserError(
                f"augment must give {wanted} view(s) of an image for ssl={self.row}, but"
                f" augment={self.choices['augment']} gives {views}"
            )
        self.sketch.check_batch(self.per_device)

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
            batch_size=self.cfg.batch_size,
            accumulate=self.cfg.accumulate,
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

    @cached_property
    def identity(self) -> str:
        """Eight hex digits that name this run's result."""
        content = {
            "fold": self.fold.fingerprint,
            "pool": self.pool.fingerprint,
            "weights": weights_hash(self.cfg.model.weights, architecture=self.cfg.model.architecture),
            "precision": self.precision,
        }
        return identity(_with_effect(self.config), content)

    @cached_property
    def marks(self) -> dict[str, object]:
        """What every later table must show: the fold's marks, and starting weights that have seen its images.

        And images without labels that may be of held-out patients, of this pool or of the starting weights'.

        Raises:
            UserError: They have, and `data.on_leak` is not warn.
        """
        weights, held_out = self.cfg.model.weights, self.data.held_out(self.cfg.fold).hashes
        own = self.pool.transductive
        told = [*inherited_marks(weights).get(TRANSDUCTIVE, []), *([own] if own else [])]
        return {
            **self.fold.marks,
            **self.seen_mark(weights, held_out),
            **({TRANSDUCTIVE: told} if told else {}),
        }

    def about(self) -> dict[str, Any]:
        """What the encoder says of itself."""
        model = self.config["model"]
        seen_before = provenance(self.cfg.model.weights).get("trained_on", ())
        return {
            "method": self.method_name,
            "architecture": model["architecture"],
            "options": model["options"],
            "image_size": self.cfg.image_size,
            "mean": model["mean"],
            "std": model["std"],
            "ssl": {key: value for key, value in self.config["ssl"].items() if key != "encoder"},
            "epochs": self.cfg.epochs,
            "fold": self.cfg.fold,
            "seed": self.cfg.seed,
            "identity": self.identity,
            "data": {"name": self.data.name, "fingerprint": self.fold.fingerprint},
            "pool": self._pool_told(),
            "weights": self.cfg.model.weights,
            "trained_on": sorted({*self.pool.table["content_hash"], *seen_before}),
            "marks": {key: self.marks[key] for key in (TRANSDUCTIVE,) if key in self.marks},
        }

    @property
    def method_name(self) -> str:
        """mae, convmae, mocov3 or mixmim: the module that the method is in."""
        return str(self.cfg.ssl._target_).split(".")[-2]

    def record(self) -> dict[str, Any]:
        """What `run.json` says from the start."""
        cfg, fold, report = self.cfg, self.fold, weights_report(self.method.encoder)
        return {
            "stage": cfg.stage,
            "experiment": cfg.name,
            "model": self.row,
            "fold": cfg.fold,
            "seed": cfg.seed,
            "identity": self.identity,
            "identity_version": VERSION,
            "data": {
                "name": self.data.name,
                "fingerprint": fold.fingerprint,
                "set": fold.set_fingerprint,
                "folds": list(fold.folds),
                "holdout": fold.holdout,
                "classes": list(fold.classes),
                "images": fold.table["split"].value_counts().to_dict(),
                "marks": self.marks,
            },
            "pool": self._pool_told(),
            "lineage": {
                "weights": cfg.model.weights,
                "weights_hash": weights_hash(cfg.model.weights, architecture=cfg.model.architecture),
                "report": asdict(report) if report else None,
            },
            "precision": self.precision,
            "overrides": self.overrides,
            "choices": self.choices,
        }

    def value(self) -> float:
        """The monitored measure of the last check, or the last epoch's loss."""
        return read_json(self.folder.metrics)["final"][self.cfg.monitor]

    def _pool_told(self) -> dict[str, Any]:
        pool, named = self.pool, self.config["pool"]
        return {
            "name": self.choices["pool"],
            "fingerprint": pool.fingerprint,
            "counts": pool.counts,
            "folders": named["folders"],
            "manifests": named["manifests"],
            "skipped": pool.skipped,
        }


def _with_effect(config: dict[str, Any]) -> dict[str, Any]:
    """The config without what cannot change the result."""
    other = [keys for name, keys in OF_ONE_OPTIMISER.items() if name != config["optim"]["name"]]
    left_out = {*WITHOUT_EFFECT, *(key for keys in other for key in keys)}
    kept = copy.deepcopy(config)
    for dotted in left_out:
        *groups, key = dotted.split(".")
        functools.reduce(dict.__getitem__, groups, kept).pop(key, None)
    return kept
