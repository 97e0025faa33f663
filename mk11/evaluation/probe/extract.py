"""Features of a fold's images under one encoder, each image once for all folds."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import DataLoader

from mk11.data.batches import one_thread
from mk11.data.cells import CellData, Fold
from mk11.data.dataset import CellImages, as_it_is
from mk11.data.layouts import SPLITS
from mk11.data.transforms.plain import Plain
from mk11.data.transforms.resize import resize_policy
from mk11.errors import UserError
from mk11.evaluation.probe.encoders import Encoder, Ready
from mk11.models.features import features
from mk11.terminal import with_progress


@dataclass(frozen=True)
class Computing:
    """Where and how features are computed; none of it changes them beyond rounding."""

    device: torch.device
    autocast: torch.dtype | None
    batch_size: int
    workers: int


@dataclass(frozen=True)
class Split:
    """One split's images in the order of the fold's table."""

    features: Float[Tensor, "images dim"]
    labels: Int[Tensor, " images"]


@dataclass
class Extractor:
    """One encoder at work. It remembers its features by image and scale: folds share most of their images."""

    encoder: Encoder
    computing: Computing
    _known: dict[Hashable, Float[Tensor, " dim"]] = field(default_factory=dict)

    def splits(self, fold: Fold, data: CellData) -> dict[str, Split]:
        """Train, val and test, prepared by the evaluation transform of this encoder and of the data set."""
        keys = list(zip(fold.table["content_hash"], fold.table["um_per_pixel"].map(repr), strict=True))
        policy = resize_policy(
            name=data.resize,
            image_size=self.encoder.image_size,
            target_um_per_pixel=data.target_um_per_pixel,
        )
        plain = Plain(resize=policy, mean=self.ready.mean, std=self.ready.std)
        found = {}
        for split in SPLITS:
            cells = CellImages(fold, split, plain, seed=0)
            self._extract(cells, keys)
            vectors = torch.stack([self._known[keys[row]] for row in cells.rows])  # (images, dim)
            found[split] = Split(vectors, cells.labels)
        return found

    @cached_property
    def ready(self) -> Ready:
        """The network on its device."""
        made = self.encoder.build()
        made.network.to(self.computing.device)
        return made

    def _extract(self, cells: CellImages, keys: Sequence[Hashable]) -> None:
        """Compute what is not known yet."""
        rows = cells.rows.tolist()
        first = {keys[row]: place for place, row in enumerate(rows) if keys[row] not in self._known}
        if not first:
            return
        loader = DataLoader(
            cells,
            batch_size=self.computing.batch_size,
            sampler=[(0, place) for place in first.values()],
            collate_fn=as_it_is,
            num_workers=self.computing.workers,
            worker_init_fn=one_thread,
            pin_memory=self.computing.device.type == "cuda",
        )
        found = features(
            self.ready.network,
            with_progress(loader, total=len(loader), title="features", unit="batch"),
            device=self.computing.device,
            autocast=self.computing.autocast,
        )
        if not torch.isfinite(found.values).all():
            raise UserError(f"RUN must give finite features, but {self.encoder.name} gives infinities or NaN")
        for row, vector in zip(found.rows.tolist(), found.values, strict=True):
            self._known[keys[row]] = vector
