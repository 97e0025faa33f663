"""One training: what is refused, what names it, what it says of itself."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra.utils import instantiate

from mk11.cli.checks import check_config
from mk11.cli.lineage import fields_behind, inherited_marks, provenance, weights_report
from mk11.cli.parts import TrainParts
from mk11.cli.rules import check_given
from mk11.cli.stages.ensure import check_stage
from mk11.cli.stages.pretraining import STAGED
from mk11.errors import UserError
from mk11.files import read_json
from mk11.models.weights import locate_weights
from mk11.runs.identity import identity
from mk11.training.task import SubtypeClassifier


@dataclass
class Job(TrainParts):
    """One run of `train.py`."""

    @property
    def product(self) -> Path:
        """The predictions, of which all figures are made."""
        return self.folder.predictions

    def check(self) -> None:
        """Tell every mistake that can be told before images are read.

        Raises:
            UserError: A key is missing or breaks its rule, weights are not there, or transforms do not fit.
        """
        check_given(self.cfg)
        check_config(self.config)
        self.check_place()
        if self.cfg.model.weights != STAGED:
            locate_weights(self.cfg.model.weights, architecture=self.cfg.model.architecture)
        elif self.cfg.fold != "all":
            check_stage(self.pretraining, key="pretrain.overrides", what="a pre-training")
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
        cfg, common, report = self.cfg, self.common_record(), weights_report(self.network)
        counts = dict(zip(self.fold.classes, self.train_counts.tolist(), strict=True))
        return {
            **common,
            "data": {**common["data"], "train_counts": counts},
            "lineage": {
                "weights": cfg.model.weights,
                "weights_hash": self.weights_hash,
                "report": asdict(report) if report else None,
                "stage": self.pretraining and str(self.pretraining.folder.path),
                "field_states": fields_behind(self.weights),
            },
            "tuned": cfg.analysis.tuned,  # the search that chose this configuration
        }
