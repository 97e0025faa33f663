"""From a composed config to the things one pre-training is made of."""

from abc import ABC
from dataclasses import dataclass
from functools import cached_property

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mk11.cli.base import BaseJob
from mk11.cli.selection.job import SelectJob
from mk11.cli.stages.selecting import STAGED, selection_of
from mk11.data.dataset import Transform
from mk11.data.pool import Pool, PoolImages
from mk11.data.pool_loader import PoolLoaders
from mk11.models.classifier import create_encoder
from mk11.ssl.method import Method
from mk11.ssl.settings import Settings

TOP_LEVEL_SETTINGS = ("epochs", "batch_size", "accumulate", "clip_norm", "seed")
# Keys of `model` that make an encoder.
OF_ENCODERS = ("architecture", "options", "image_size", "allow_partial", "variant")


@dataclass
class PretrainParts(BaseJob, ABC):
    """Images, method and settings of a run of `pretrain.py`; what is costly is made on first use."""

    def __post_init__(self) -> None:
        if OmegaConf.is_missing(self.cfg.ssl, "encoder"):
            self.cfg.ssl.encoder = None  # `method` fills it in

    @property
    def row(self) -> str:
        """The choice of the config group `ssl`."""
        return str(self.choices["ssl"])

    @cached_property
    def settings(self) -> Settings:
        """How it is trained."""
        cfg = self.config
        return Settings(
            **{key: cfg[key] for key in TOP_LEVEL_SETTINGS},
            **{**cfg["optim"], "betas": tuple(cfg["optim"]["betas"])},
            reference_compatible=cfg["ssl"].get("reference_compatible", False),
        )

    @cached_property
    def transform(self) -> Transform:
        """How images of the pool reach the method."""
        return instantiate(self.cfg.augment, resize=self.policy)

    @cached_property
    def selection(self) -> SelectJob | None:
        """The selection that `stage:select` in `pool.manifests` stands for; None where it is not there."""
        return selection_of(self) if STAGED in self._manifests else None

    @property
    def _manifests(self) -> list[str]:
        given = self.config["pool"]["manifests"]
        return [str(one) for one in given] if isinstance(given, list) else [str(given)]

    @cached_property
    def pool_definition(self) -> Pool:
        """Where the images come from."""
        if self.selection is None:
            return instantiate(self.cfg.pool)
        manifest = str(self.selection.manifest)
        given = [manifest if one == STAGED else one for one in self._manifests]
        return instantiate(self.cfg.pool, manifests=given)

    @cached_property
    def pool(self) -> PoolImages:
        """The images to learn from."""
        return self.pool_definition.gather(self.data, self.fold)

    @property
    def pool_fingerprint(self) -> str:
        """What the pool consists of; a selection is known by its identity, before it has ended."""
        if self.selection is None:
            return self.pool.fingerprint
        others = {**self.config["pool"], "manifests": [one for one in self._manifests if one != STAGED]}
        staged = f"{STAGED} {self.selection.identity} near {others['near_duplicates']}"
        if not (others["training"] or others["folders"] or others["manifests"]):
            return staged
        rest: Pool = instantiate(others)
        return f"{staged} {rest.gather(self.data, self.fold).fingerprint}"

    @cached_property
    def loaders(self) -> PoolLoaders:
        """Their batches."""
        cfg = self.cfg
        return PoolLoaders(
            pool=self.pool,
            transform=self.transform,
            batch_size=cfg.batch_size,
            accumulate=cfg.accumulate,
            workers=cfg.workers,
            seed=cfg.seed,
        )

    @cached_property
    def method(self) -> Method:
        """Encoder and the task around it, with weights drawn from the seed."""
        torch.manual_seed(self.cfg.seed)
        return self._made(weights=self.cfg.model.weights)

    @cached_property
    def sketch(self) -> Method:
        """The method without memory or weights: enough to see whether its parts fit."""
        with torch.device("meta"):
            return self._made(weights="none")

    def _made(self, *, weights: str) -> Method:
        keys = {key: value for key, value in self.config["model"].items() if key in OF_ENCODERS}
        checkpointing = self.cfg.trainer.grad_checkpointing
        encoder = create_encoder(**{**keys, "weights": weights}, grad_checkpointing=checkpointing)
        return instantiate(self.cfg.ssl, encoder=encoder)

    @property
    def per_device(self) -> int:
        """Images per device and forward pass."""
        trainer = self.cfg.trainer
        return self.cfg.batch_size // (trainer.devices * trainer.num_nodes * self.cfg.accumulate)
