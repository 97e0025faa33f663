"""One selection: what is refused, what names it, what it says of itself."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mk11.cli.rules import check_given
from mk11.cli.selection.checks import check_config
from mk11.cli.selection.parts import SelectParts
from mk11.errors import UserError
from mk11.files import read_json
from mk11.runs.identity import identity

# What cannot change which regions are selected, or is in the identity by its content.
BY_CONTENT = ("fields", "filter", "encoder", "gallery", "identify")
REGIONS, FEATURES = "regions", "features"  # beside the run folders: shared by folds and strategies


@dataclass
class SelectJob(SelectParts):
    """One run of `select.py`."""

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
        fields = self.fields
        return {
            **self.common_record(),
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
        }

    def value(self) -> float:
        """How many regions were selected."""
        return float(read_json(self.folder.metrics)["final"]["selected"])
