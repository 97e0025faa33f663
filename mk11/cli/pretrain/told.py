"""What a pre-training says of itself: marks, the encoder's header, `run.json`."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mk11.cli.lineage import (
    COLLAPSE,
    TRANSDUCTIVE,
    TUNED,
    inherited_marks,
    provenance,
    tuned_by,
    weights_report,
)
from mk11.cli.pretrain.parts import PretrainParts
from mk11.models.encoder_file import file_hash
from mk11.models.weights import weights_hash
from mk11.runs.folder import RunFolder


@dataclass
class PretrainTold(PretrainParts, ABC):
    """A run of `pretrain.py` in words."""

    @property
    @abstractmethod
    def collapsed(self) -> str | None:
        """What the last check so far found wrong, in words."""

    @cached_property
    def marks(self) -> dict[str, object]:
        """What every later table must show: the fold's marks, and starting weights that have seen its images.

        And images without labels that may be of held-out patients, of this pool or of the starting weights'.

        Raises:
            UserError: They have, and `data.on_leak` is not warn.
        """
        weights, held_out = self.cfg.model.weights, self.data.held_out(self.cfg.fold).hashes
        return {**self.fold.marks, **self.seen_mark(weights, held_out), **self._lineage_marks}

    @cached_property
    def _lineage_marks(self) -> dict[str, list[str]]:
        """Of the starting weights and of this pool."""
        marks, own = inherited_marks(self.cfg.model.weights), self.pool.transductive
        return {**marks, TRANSDUCTIVE: [*marks.get(TRANSDUCTIVE, []), own]} if own else marks

    @property
    def encoder_marks(self) -> dict[str, list[str]]:
        """What every table of a network that starts from this encoder must show."""
        marks, search, wrong = self._lineage_marks, self.cfg.analysis.tuned, self.collapsed
        return {
            **marks,
            **({TUNED: [*marks.get(TUNED, []), tuned_by(search)]} if search else {}),
            **({COLLAPSE: [f"the encoder's last check looked collapsed: {wrong}"]} if wrong else {}),
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
            "marks": self.encoder_marks,
        }

    @property
    def method_name(self) -> str:
        """mae, convmae, mocov3 or mixmim: the module that the method is in."""
        return str(self.cfg.ssl._target_).split(".")[-2]

    def record(self) -> dict[str, Any]:
        """What `run.json` says from the start."""
        cfg, report = self.cfg, weights_report(self.method.encoder)
        return {
            **self.common_record(),
            "pool": self._pool_told(),
            "lineage": {
                "weights": cfg.model.weights,
                "weights_hash": weights_hash(cfg.model.weights, architecture=cfg.model.architecture),
                "report": asdict(report) if report else None,
            },
            "tuned": cfg.analysis.tuned,  # the search that chose this configuration
        }

    def _pool_told(self) -> dict[str, Any]:
        pool, named = self.pool, self.config["pool"]
        return {
            "name": self.choices["pool"],
            "fingerprint": pool.fingerprint,
            "counts": pool.counts,
            "folders": named["folders"],
            "manifests": named["manifests"],
            "skipped": pool.skipped,
            "selections": [selection_told(Path(file)) for file in self.pool_definition.manifests],
        }


def selection_told(manifest: Path) -> dict[str, Any]:
    """Lineage of a manifest: the selection that it is of and the fields behind that, where these are told."""
    record = RunFolder(manifest.parent).read()
    told = {key: record.get(key) for key in ("identity", "model", "fold", "fields", "found_by", "encoder")}
    return {"manifest": str(manifest), "content_hash": file_hash(manifest), **(told if record else {})}
