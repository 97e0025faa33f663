"""From a composed config to the things one run is made of. Below this package there is no `cfg`."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn

from mk11.cli.checks import check_config, check_given
from mk11.cli.lineage import images_seen, renew_foreign_head, weights_report
from mk11.data.cells import CellData, Fold
from mk11.data.dataset import Transform
from mk11.data.loader import CellLoaders
from mk11.data.transforms.plain import Plain
from mk11.data.transforms.resize import resize_policy
from mk11.errors import UserError
from mk11.models.weights import locate_weights, weights_hash
from mk11.runs.folder import RunFolder
from mk11.runs.identity import VERSION, identity
from mk11.training.settings import Settings, resolve_precision
from mk11.training.task import SubtypeClassifier

TOP_LEVEL_SETTINGS = ("epochs", "batch_size", "accumulate", "clip_norm", "ema_decay", "seed")


@dataclass
class Job:
    """One run: its config, its images, its folder; network and loaders are made on first use."""

    cfg: DictConfig
    choices: dict[str, str | None]  # config group -> what was chosen, as in `model=convnext`
    overrides: list[str]

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config as plain containers: this is what is stored and hashed."""
        resolved = OmegaConf.to_container(self.cfg, resolve=True, throw_on_missing=True)
        assert isinstance(resolved, dict)
        return resolved  # type: ignore[return-value]

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
    def data(self) -> CellData:
        """The data set."""
        return instantiate(self.cfg.data)

    @cached_property
    def fold(self) -> Fold:
        """The images of the fold, each with its split."""
        return self.data.fold(self.cfg.fold)

    @cached_property
    def precision(self) -> str:
        """Lightning's name of the numeric precision that `auto` resolves to here."""
        return resolve_precision(self.cfg.trainer.precision, accelerator=self.cfg.trainer.accelerator)

    @cached_property
    def weights_hash(self) -> str | None:
        """Content hash of the starting weights; None for `none`."""
        return weights_hash(self.cfg.model.weights, architecture=self.cfg.model.architecture)

    def check(self) -> None:
        """Tell every mistake that can be told before images are read.

        Raises:
            UserError: A key is missing or breaks its rule, weights are not there, or transforms do not fit.
        """
        check_given(self.cfg)
        check_config(self.config)
        locate_weights(self.cfg.model.weights, architecture=self.cfg.model.architecture)
        self.precision, self.transforms  # noqa: B018  made here, used later

    @cached_property
    def identity(self) -> str:
        """Eight hex digits that name this run's result."""
        content = {
            "fold": self.fold.fingerprint,
            "classes": self.fold.classes,
            "weights": self.weights_hash,
            "precision": self.precision,
        }
        return identity(self.config, content)

    @cached_property
    def folder(self) -> RunFolder:
        """`<runs>/<stage>/<name>/<model>/fold<k>-seed<s>-<identity>`."""
        cfg = self.cfg
        leaf = f"fold{cfg.fold}-seed{cfg.seed}-{self.identity}"
        return RunFolder(Path(cfg.runs).absolute() / cfg.stage / cfg.name / str(self.choices["model"]) / leaf)

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
        policy = resize_policy(
            name=self.data.resize,
            image_size=self.cfg.image_size,
            target_um_per_pixel=self.data.target_um_per_pixel,
        )
        model = self.config["model"]
        training = instantiate(self.cfg.augment, resize=policy)
        return training, Plain(resize=policy, mean=model["mean"], std=model["std"])

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
        network = instantiate(self.cfg.model, num_classes=len(self.fold.classes))
        renew_foreign_head(network, self.cfg.model.weights, self.fold.classes)
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
        seen = images_seen(self.cfg.model.weights, self.fold.table)
        if not seen:
            return self.fold.marks
        told = (
            f"{self.cfg.model.weights} was trained on {len(seen)} of this fold's validation and test images"
        )
        if self.cfg.data.on_leak != "warn":
            raise UserError(
                f"model.weights must not have seen the fold's validation or test images, but {told}"
            )
        return {**self.fold.marks, "weights": [told]}

    def _provenance(self) -> dict[str, Any]:
        table = self.fold.table
        return {
            "classes": list(self.fold.classes),
            "model": self.config["model"],
            "fold": self.fold.fingerprint,
            "trained_on": table.loc[table["split"] == "train", "content_hash"].tolist(),
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
            },
            "precision": self.precision,
            "tuned": cfg.analysis.tuned,  # the search that chose this configuration
            "overrides": self.overrides,
            "choices": self.choices,
        }


def job_of(cfg: DictConfig) -> Job:
    """The job that a script's composed config asks for."""
    hydra = HydraConfig.get()
    choices = {group: name for group, name in hydra.runtime.choices.items() if not group.startswith("hydra/")}
    return Job(cfg=cfg, choices=choices, overrides=list(hydra.overrides.task))
