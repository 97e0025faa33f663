"""From a composed config to the things one training is made of. Below this package there is no `cfg`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.utils import instantiate
from torch import nn

from mk11.cli.base import BaseJob
from mk11.cli.checks import check_config
from mk11.cli.lineage import inherited_marks, provenance, renew_foreign_head, weights_report
from mk11.cli.pretrain.job import PretrainJob
from mk11.cli.rules import check_given
from mk11.cli.stages import STAGED, check_stage, pretraining_of
from mk11.data.dataset import Transform
from mk11.data.loader import CellLoaders
from mk11.data.transforms.plain import Plain
from mk11.errors import UserError
from mk11.files import read_json
from mk11.models.weights import locate_weights, weights_hash
from mk11.runs.identity import VERSION, identity
from mk11.training.settings import Settings
from mk11.training.task import SubtypeClassifier

TOP_LEVEL_SETTINGS = ("epochs", "batch_size", "accumulate", "clip_norm", "ema_decay", "seed")


@dataclass
class Job(BaseJob):
    """One run of `train.py`; network and loaders are made on first use."""

    @property
    def row(self) -> str:
        """The choice of the config group `model`."""
        return str(self.choices["model"])

    @cached_property
    def settings(self) -> Settings:
        """The training keys, checked."""
        cfg = self.config
        return Settings(
            **{key: cfg[key] for key in TOP_LEVEL_SETTINGS},
            **{**cfg["optim"], "betas": tuple(cfg["optim"]["betas"])},
            **cfg["loss"],
            mixup_alpha=cfg["mix"]["mixup_alpha"],
            cutmix_alpha=cfg["mix"]["cutmix_alpha"],
            mix_probability=cfg["mix"]["probability"],
            switch_probability=cfg["mix"]["switch_probability"],
            monitor=cfg["monitor"],
        )

    @cached_property
    def pretraining(self) -> PretrainJob | None:
        """The pre-training that `model.weights=stage:pretrain` stands for; None for other weights."""
        return pretraining_of(self) if self.cfg.model.weights == STAGED else None

    @property
    def weights(self) -> str:
        """`model.weights`; an earlier stage's as the file that it leaves, `none` before it is there."""
        if self.pretraining is None:
            return str(self.cfg.model.weights)
        encoder = self.pretraining.folder.encoder
        return str(encoder) if encoder.exists() else "none"

    @property
    def weights_hash(self) -> str | None:
        """Content hash of the starting weights; None for `none`."""
        return weights_hash(self.weights, architecture=self.cfg.model.architecture)

    def check(self) -> None:
        """Tell every mistake that can be told before images are read.

        Raises:
            UserError: A key is missing or breaks its rule, weights are not there, or transforms do not fit.
        """
        check_given(self.cfg)
        check_config(self.config)
        if self.cfg.model.weights != STAGED:
            locate_weights(self.cfg.model.weights, architecture=self.cfg.model.architecture)
        elif self.cfg.fold != "all":
            check_stage(self.pretraining)
        self.precision  # noqa: B018  made here, used later
        views = getattr(self.transforms[0], "views", 1)
        if views != 1:
            chosen = self.choices["augment"]
            raise UserError(f"augment must give one view of an image, but augment={chosen} gives {views}")

    @cached_property
    def identity(self) -> str:
        """Eight hex digits that name this run's result."""
        content = {
            "fold": self.fold.fingerprint,
            "classes": self.fold.classes,
            # A stage is known by its identity, so that its runs are known before it has ended.
            "weights": f"{STAGED} {self.pretraining.identity}" if self.pretraining else self.weights_hash,
            "precision": self.precision,
        }
        return identity(self.config, content)

    @property
    def signs(self) -> Sequence[Path]:
        """Files whose change means that the run, or the stage before it, goes on."""
        return (*super().signs, *(self.pretraining.signs if self.pretraining else ()))

    def value(self) -> float:
        """The best validation value of the monitored metric."""
        return read_json(self.folder.metrics)["best_validation"][self.cfg.monitor]["value"]

    @cached_property
    def train_counts(self) -> np.ndarray:
        """Training images per class."""
        return np.bincount(self._train_labels, minlength=len(self.fold.classes))

    @property
    def _train_labels(self) -> np.ndarray:
        table = self.fold.table
        return table.loc[table["split"] == "train", "label"].to_numpy()

    @cached_property
    def transforms(self) -> tuple[Transform, Plain]:
        """How images reach the network, in training and in evaluation."""
        return instantiate(self.cfg.augment, resize=self.policy), self.plain

    @cached_property
    def loaders(self) -> CellLoaders:
        """Batches of the fold's splits."""
        cfg = self.cfg
        training, evaluation = self.transforms
        return CellLoaders(
            fold=self.fold,
            train_transform=training,
            eval_transform=evaluation,
            batch_size=cfg.batch_size,
            accumulate=cfg.accumulate,
            workers=cfg.workers,
            seed=cfg.seed,
            sample_weights=instantiate(cfg.imbalance).sample_weights(self._train_labels),
        )

    @cached_property
    def network(self) -> nn.Module:
        """The network with its starting weights, drawn from the seed."""
        torch.manual_seed(self.cfg.seed)
        network = instantiate(self.cfg.model, num_classes=len(self.fold.classes), weights=self.weights)
        renew_foreign_head(network, self.weights, self.fold.classes)
        if self.cfg.trainer.compile:
            network.compile()  # in place: the checkpoint's keys stay the same
        return network

    @cached_property
    def task(self) -> SubtypeClassifier:
        """Network, loss and optimiser."""
        criterion = instantiate(self.cfg.imbalance).criterion(
            self.train_counts, label_smoothing=self.settings.label_smoothing
        )
        return SubtypeClassifier(
            network=self.network,
            criterion=criterion,
            num_classes=len(self.fold.classes),
            settings=self.settings,
            channels_last=self.cfg.trainer.channels_last,
            provenance=self._provenance(),
        )

    @cached_property
    def marks(self) -> dict[str, object]:
        """What every later table must show: the fold's marks, and starting weights that have seen its images.

        Raises:
            UserError: They have, and `data.on_leak` is not warn.
        """
        table = self.fold.table
        held_out = table.loc[table["split"] != "train", "content_hash"]
        return {**self.fold.marks, **self.seen_mark(self.weights, held_out), **inherited_marks(self.weights)}

    def _provenance(self) -> dict[str, Any]:
        table = self.fold.table
        own = table.loc[table["split"] == "train", "content_hash"]
        return {
            "classes": list(self.fold.classes),
            "model": self.config["model"],
            "fold": self.fold.fingerprint,
            "trained_on": sorted({*own, *provenance(self.weights).get("trained_on", ())}),
            "marks": inherited_marks(self.weights),
        }

    def record(self) -> dict[str, Any]:
        """What `run.json` says from the start."""
        cfg, fold, report = self.cfg, self.fold, weights_report(self.network)
        return {
            "stage": cfg.stage,
            "experiment": cfg.name,
            "model": self.choices["model"],
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
                "train_counts": dict(zip(fold.classes, self.train_counts.tolist(), strict=True)),
                "marks": self.marks,
            },
            "lineage": {
                "weights": cfg.model.weights,
                "weights_hash": self.weights_hash,
                "report": asdict(report) if report else None,
                "stage": self.pretraining and str(self.pretraining.folder.path),
            },
            "precision": self.precision,
            "tuned": cfg.analysis.tuned,  # the search that chose this configuration
            "overrides": self.overrides,
            "choices": self.choices,
        }
