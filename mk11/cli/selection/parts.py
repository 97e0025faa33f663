"""From a composed config to the things one selection is made of."""

from abc import ABC
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hydra.utils import instantiate

from mk11.cli.base import BaseJob
from mk11.data.fields import FieldData, Fields
from mk11.data.transforms.resize import FixedScale, ShortSide, resize_policy
from mk11.evaluation.probe.encoders import Encoder, encoder_of
from mk11.evaluation.probe.from_timm import encoder_of_timm
from mk11.selection.crops import CropShape
from mk11.selection.field_regions import Search
from mk11.selection.gallery import GalleryLimits
from mk11.selection.regions import RegionFilter
from mk11.selection.strategies.base import Strategy


@dataclass
class SelectParts(BaseJob, ABC):
    """Fields, filter, encoder and strategy of a run of `select.py`; what is costly is made on first use."""

    @property
    def row(self) -> str:
        """The choice of the config group `selection`."""
        return str(self.choices["selection"])

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
        """Stage 1, fitted where it learns: from nothing of the fold's validation and test patients."""
        learns = {"held_out": sorted(self._held_out_pictures)} if "examples" in self.cfg.filter else {}
        return instantiate(self.cfg.filter, **learns)

    @property
    def _held_out_pictures(self) -> frozenset[str]:
        """Content hashes of the held-out images, and of the fields of held-out patients."""
        fields, held_out = self.fields.table, self.data.held_out(self.cfg.fold)
        return held_out.hashes | frozenset(fields.loc[fields["group"].isin(held_out.groups), "content_hash"])

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
