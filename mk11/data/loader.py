"""Batches of one fold for Lightning."""

import numpy as np
from jaxtyping import Float
from torch.utils.data import DataLoader

from mk11.data.batches import TrainingLoaders
from mk11.data.cells import Fold
from mk11.data.dataset import CellImages, Item, Transform
from mk11.data.sampler import EpochSampler


class CellLoaders(TrainingLoaders):
    """Training, validation and evaluation loaders of one fold.

    Args:
        fold: table and decoded images.
        train_transform: of conf/augment.
        eval_transform: for everything but training; must not draw.
        batch_size: images per optimiser step, over all devices and accumulated batches.
        accumulate: batches accumulated per step.
        workers: loader processes per device; 0 prepares images in the training process.
        seed: of the order and of the augmentation.
        sample_weights: one weight per training image, in the order of the table's rows, to draw with
            replacement; None: each image once an epoch.
    """

    def __init__(
        self,
        *,
        fold: Fold,
        train_transform: Transform,
        eval_transform: Transform,
        batch_size: int,
        accumulate: int,
        workers: int,
        seed: int,
        sample_weights: Float[np.ndarray, " images"] | None = None,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            accumulate=accumulate,
            workers=workers,
            seed=seed,
            sample_weights=sample_weights,
        )
        self.fold = fold
        self.train_transform = train_transform
        self.eval_transform = eval_transform

    def training_images(self) -> CellImages:
        """The training split, augmented."""
        return CellImages(self.fold, "train", self.train_transform, self.seed)

    def val_dataloader(self) -> DataLoader[Item]:
        """This device's share of the validation split, every image once over all devices."""
        return self._evaluation_loader("val", *self.place())

    def loader(self, split: str) -> DataLoader[Item]:
        """The whole of `split` (train, val or test) in the table's order, each image once, not augmented."""
        return self._evaluation_loader(split, 0, 1)

    def _evaluation_loader(self, split: str, rank: int, world_size: int) -> DataLoader[Item]:
        cells = CellImages(self.fold, split, self.eval_transform, self.seed)
        sampler = EpochSampler(
            count=len(cells),
            seed=0,
            shuffle=False,
            rank=rank,
            world_size=world_size,
            whole=None,
            weights=None,
        )
        return self.batches(cells, sampler, self.device_batch_size(), drop_last=False)
