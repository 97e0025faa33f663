"""One selection: what is refused, what names it, what it says of itself."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra.utils import instantiate

from mk11.cli.base import BaseJob
from mk11.cli.lineage import TRANSDUCTIVE
from mk11.cli.rules import check_given
from mk11.cli.selection.checks import check_config
from mk11.data.fields import FieldData, Fields
from mk11.data.transforms.resize import FixedScale, ShortSide, resize_policy
from mk11.errors import UserError
from mk11.evaluation.probe.encoders import Encoder, encoder_of
from mk11.evaluation.probe.from_timm import encoder_of_timm
from mk11.files import read_json
from mk11.runs.identity import VERSION, identity
from mk11.selection.crops import CropShape
from mk11.selection.field_regions import Search
from mk11.selection.gallery import GalleryLimits
from mk11.selection.regions import RegionFilter
from mk11.selection.strategies.base import Strategy

# What cannot change which regions are selected, or is in the identity by its content.
BY_CONTENT = ("fields", "filter", "encoder", "gallery", "identify")
REGIONS, FEATURES = "regions", "features"  # beside the run folders: shared by folds and strategies


@dataclass
class SelectJob(BaseJob):
    """One run of `select.py`; what is costly is made on first use."""

    @property
    def row(self) -> str:
        """The choice of the config group `selection`."""
        return str(self.choices["selection"])

    def check(self) -> None:
        """Tell every mistake that can be told before images are read.

        Raises:
            UserError: A key is missing or breaks its rule, or there is no such encoder.
        """
        check_given(self.cfg)
        check_config(self.config)
        self.check_place()
        self.precision, self.shape, self.encoder, self.field_data, self.gallery  # noqa: B018  made here, used later
        self.strategy.check(self.cfg.budget)

    @cached_property
    def field_data(self) -> FieldData:
        """Where the fields lie."""
        return instantiate(self.cfg.fields)

    @cached_property
    def fields(self) -> Fields:
        """The fields that can be read, each once."""
        return self.field_data.fields

    @cached_property
    def filter(self) -> RegionFilter:
        """Stage 1, fitted where it learns."""
        return instantiate(self.cfg.filter)

    @cached_property
    def shape(self) -> CropShape:
        """How crops are cut."""
        return instantiate(self.cfg.crop)

    @cached_property
    def strategy(self) -> Strategy:
        """Stage 2."""
        return instantiate(self.cfg.selection)

    @cached_property
    def gallery(self) -> GalleryLimits:
        """How much the page shows."""
        return instantiate(self.cfg.gallery)

    @cached_property
    def encoder(self) -> Encoder:
        """What features are made by; not built."""
        given = self.config["encoder"]
        if given["run"] is not None:
            return encoder_of(Path(str(given["run"])), class_token=given["class_token"])
        keys = ("architecture", "weights", "image_size", "class_token")
        return encoder_of_timm(**{key: given[key] for key in keys}, seed=self.cfg.seed, home=None)

    @cached_property
    def policy(self) -> ShortSide | FixedScale:
        """How an image of any size becomes the encoder's square."""
        return resize_policy(
            name=self.data.resize,
            image_size=self.encoder.image_size,
            target_um_per_pixel=self.data.target_um_per_pixel,
        )

    @cached_property
    def search(self) -> Search:
        """What is done to every field."""
        return Search(filter=self.filter, crop=self.shape, seed=self.cfg.seed)

    @cached_property
    def regions_folder(self) -> Path:
        """Regions of these fields by this search, whichever fold and strategy ask for them."""
        told = {"fields": self.fields.fingerprint, **self._found_by}
        key = hashlib.blake2b(json.dumps(told, sort_keys=True, default=str).encode(), digest_size=4)
        leaf = f"{self.choices['filter']}-{key.hexdigest()}"
        return Path(self.cfg.runs).absolute() / REGIONS / self.cfg.name / leaf

    @cached_property
    def features_folder(self) -> Path:
        """Features of all encoders, by content."""
        return Path(self.cfg.runs).absolute() / FEATURES

    @property
    def _found_by(self) -> dict[str, Any]:
        return {"filter": dict(self.filter.about()), "crop": self.config["crop"], "seed": self.cfg.seed}

    @cached_property
    def identity(self) -> str:
        """Eight hex digits that name this run's result."""
        content = {
            "fold": self.fold.fingerprint,
            "held_out": self._held_out_fingerprint,
            "fields": self.fields.fingerprint,
            "filter": dict(self.filter.about()),
            "encoder": {"hash": self.encoder.hash, "image_size": self.encoder.image_size, **self._pooling},
            "precision": self.precision,
        }
        kept = {key: value for key, value in self.config.items() if key not in BY_CONTENT}
        return identity(kept, content)

    @property
    def _held_out_fingerprint(self) -> str:
        """A holdout locks patients away that the fold's own table does not name."""
        held_out = self.data.held_out(self.cfg.fold)
        told = "\n".join([*sorted(held_out.hashes), *sorted(held_out.groups)])
        return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()

    @property
    def _pooling(self) -> dict[str, Any]:
        return {key: self.encoder.about.get(key) for key in ("architecture", "options", "class_token")}

    @cached_property
    def marks(self) -> dict[str, object]:
        """The fold's marks, and an encoder that has seen its held-out images.

        Raises:
            UserError: It has, and `data.on_leak` is not warn.
        """
        seen = len(self.encoder.trained_on & self.data.held_out(self.cfg.fold).hashes)
        if not seen:
            return dict(self.fold.marks)
        told = f"{self.encoder.name} was trained on {seen} of this fold's validation and test images"
        if self.cfg.data.on_leak != "warn":
            raise UserError(f"encoder must not have seen the fold's held-out images, but {told}")
        return {**self.fold.marks, "encoder": [told]}

    @property
    def manifest(self) -> Path:
        """The table that pre-training reads."""
        return self.folder.path / "selected.parquet"

    @property
    def product(self) -> Path:
        """The same."""
        return self.manifest

    def record(self) -> dict[str, Any]:
        """What `run.json` says from the start."""
        cfg, fold, fields = self.cfg, self.fold, self.fields
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
            "fields": {
                "name": self.field_data.name,
                "root": str(self.field_data.root),
                "fingerprint": fields.fingerprint,
                "count": len(fields.table),
                "copies": fields.copies,
                "skipped": fields.skipped,
            },
            "found_by": self._found_by,
            "encoder": {"name": self.encoder.name, "hash": self.encoder.hash, **self.encoder.about},
            "precision": self.precision,
            "overrides": self.overrides,
            "choices": self.choices,
        }

    def value(self) -> float:
        """How many regions were selected."""
        return float(read_json(self.folder.metrics)["final"]["selected"])


def with_transductive(marks: Mapping[str, object], told: str | None) -> dict[str, object]:
    """Marks with what no hash can tell of the selected regions' patients."""
    return {**marks, **({TRANSDUCTIVE: [told]} if told else {})}
