"""From a composed config to the things one training is made of. Below this package there is no `cfg`."""

from abc import ABC
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from hydra.utils import instantiate
from torch import nn

from mk11.cli.base import BaseJob
from mk11.cli.lineage import renew_foreign_head
from mk11.cli.pretrain.job import PretrainJob
from mk11.cli.stages.pretraining import STAGED, pretraining_of
from mk11.data.dataset import Transform
from mk11.data.loader import CellLoaders
from mk11.data.transforms.plain import Plain
from mk11.models.weights import weights_hash
from mk11.training.settings import Settings

TOP_LEVEL_SETTINGS = ("epochs", "batch_size", "accumulate", "clip_norm", "ema_decay", "seed")


@dataclass
class TrainParts(BaseJob, ABC):
    """Images, network and settings of a run of `train.py`; what is costly is made on first use."""

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
