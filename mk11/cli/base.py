"""What one run of any script is made of: its config, its images, its folder."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from mk11.cli.lineage import provenance
from mk11.data.cells import CellData, Fold
from mk11.data.transforms.plain import Plain
from mk11.data.transforms.resize import FixedScale, ShortSide, resize_policy
from mk11.errors import UserError
from mk11.files import writable_folder
from mk11.loop.precision import resolve_precision
from mk11.runs.folder import RunFolder
from mk11.runs.identity import VERSION

Kind = TypeVar("Kind", bound="BaseJob")


@dataclass
class BaseJob(ABC):
    """One run; what is costly is made on first use."""

    cfg: DictConfig
    choices: dict[str, str | None]  # config group -> what was chosen, as in `model=convnext`
    overrides: list[str]

    @classmethod
    def of(cls: type[Kind], cfg: DictConfig) -> Kind:
        """The job that a script's composed config asks for."""
        hydra = HydraConfig.get()
        return cls(cfg=cfg, choices=groups(hydra.runtime.choices), overrides=list(hydra.overrides.task))

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config as plain containers: this is what is stored and hashed."""
        resolved = OmegaConf.to_container(self.cfg, resolve=True, throw_on_missing=True)
        assert isinstance(resolved, dict)
        return resolved  # type: ignore[return-value]

    @cached_property
    def data(self) -> CellData:
        """The data set."""
        return instantiate(self.cfg.data)

    @cached_property
    def fold(self) -> Fold:
        """The images of the fold, each with its split."""
        return self.data.fold(self.cfg.fold)

    @cached_property
    def policy(self) -> ShortSide | FixedScale:
        """How an image of any size becomes the network's square."""
        return resize_policy(
            name=self.data.resize,
            image_size=self.cfg.image_size,
            target_um_per_pixel=self.data.target_um_per_pixel,
        )

    @cached_property
    def plain(self) -> Plain:
        """How images reach the network in evaluation."""
        model = self.config["model"]
        return Plain(resize=self.policy, mean=model["mean"], std=model["std"])

    @cached_property
    def precision(self) -> str:
        """Lightning's name of the numeric precision that `auto` resolves to here."""
        return resolve_precision(self.cfg.trainer.precision, accelerator=self.cfg.trainer.accelerator)

    @cached_property
    def folder(self) -> RunFolder:
        """`<runs>/<stage>/<name>/<row>/fold<k>-seed<s>-<identity>`."""
        cfg = self.cfg
        leaf = f"fold{cfg.fold}-seed{cfg.seed}-{self.identity}"
        return RunFolder(Path(cfg.runs).absolute() / cfg.stage / cfg.name / self.row / leaf)

    @property
    def signs(self) -> Sequence[Path]:
        """Files whose change means that the run goes on."""
        return (self.folder.progress, self.folder.record)

    def seen_mark(self, weights: str, held_out: Collection[str]) -> dict[str, object]:
        """The mark of starting weights that were trained on held-out images, by content hash; empty if clean.

        Raises:
            UserError: They were, and `data.on_leak` is not warn.
        """
        seen = set(provenance(weights).get("trained_on", ())) & set(held_out)
        if not seen:
            return {}
        told = f"{weights} was trained on {len(seen)} of this fold's validation and test images"
        if self.cfg.data.on_leak != "warn":
            raise UserError(
                f"model.weights must not have seen the fold's validation or test images, but {told}"
            )
        return {"weights": [told]}

    def check_place(self) -> None:
        """UserError where run folders cannot be written."""
        writable_folder("runs", Path(self.cfg.runs).absolute())

    def common_record(self) -> dict[str, Any]:
        """What `run.json` says of every run, whatever its stage."""
        cfg, fold = self.cfg, self.fold
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
            "precision": self.precision,
            "overrides": self.overrides,
            "choices": self.choices,
        }

    @property
    @abstractmethod
    def marks(self) -> dict[str, object]:
        """What every later table must show of the run's data and weights."""

    @property
    @abstractmethod
    def row(self) -> str:
        """What is trained, as folders and the terminal name it."""

    @property
    @abstractmethod
    def product(self) -> Path:
        """The file that the run is made for: without it nothing is finished."""

    def told_when_finished(self) -> Sequence[str]:
        """What a finished run has otherwise than is asked for, though its result is the same; in lines."""
        return ()

    @property
    @abstractmethod
    def identity(self) -> str:
        """Eight hex digits that name this run's result."""

    @abstractmethod
    def check(self) -> None:
        """Tell every mistake that can be told before images are read.

        Raises:
            UserError: A key is missing or breaks its rule, or a file is not there.
        """

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """What `run.json` says from the start."""

    @abstractmethod
    def value(self) -> float:
        """What a finished run is worth to a search over configurations; read from its folder."""


def groups(choices: Any) -> dict[str, str | None]:  # noqa: ANN401  Hydra's own mapping
    """Config group -> what was chosen, without Hydra's own groups."""
    return {group: name for group, name in choices.items() if not group.startswith("hydra/")}
