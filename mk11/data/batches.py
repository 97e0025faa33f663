"""Training batches for Lightning, the same numbers for any number of workers: what all loaders share."""

from abc import abstractmethod

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch.utils.data import DataLoader, Dataset

from mk11.data.dataset import as_it_is
from mk11.data.sampler import EpochSampler
from mk11.errors import UserError


class TrainingLoaders(pl.LightningDataModule):
    """Shuffled batches of the images to train on.

    The sampler slices for the devices itself: the trainer needs `use_distributed_sampler=False`.

    Args:
        batch_size: images per optimiser step, over all devices and accumulated batches.
        accumulate: batches accumulated per step.
        workers: loader processes per device; 0 prepares images in the training process.
        seed: of the order and of the augmentation.
        sample_weights: one weight per training image to draw with replacement; None: each image once an
            epoch.
    """

    def __init__(
        self,
        *,
        batch_size: int,
        accumulate: int,
        workers: int,
        seed: int,
        sample_weights: Float[np.ndarray, " images"] | None,
    ) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.accumulate = accumulate
        self.workers = workers
        self.seed = seed
        self.sample_weights = sample_weights

    @abstractmethod
    def training_images(self) -> Dataset:
        """The images to train on, augmented; takes keys (epoch, position) and has a length."""

    def train_dataloader(self) -> DataLoader:
        """Shuffled or weighted, augmented; a last, smaller batch is left out where there is a full one.

        Each epoch has another order, so what is left out differs from epoch to epoch. Nothing is where
        `whole` makes all batches full.
        """
        rank, world_size = self.place()
        images = self.training_images()
        sampler = EpochSampler(
            count=len(images),  # type: ignore[arg-type]
            seed=self.seed,
            shuffle=True,
            rank=rank,
            world_size=world_size,
            whole=self.whole(),
            weights=self.sample_weights,
        )
        if self.trainer is not None:
            # With workers, batches are asked for before Lightning tells the sampler of a resumed epoch.
            done = self.trainer.fit_loop.epoch_progress.current
            sampler.set_epoch(done.processed)  # type: ignore[attr-defined]
        size = self.device_batch_size()
        return self.batches(images, sampler, size, drop_last=len(sampler) >= size)

    def whole(self) -> int:
        """The images of an epoch are a multiple of this, the first ones repeated: devices step together."""
        return self.place()[1]

    def steps_per_epoch(self) -> int:
        """Optimiser steps an epoch; a rest of batches that fills no accumulation makes a step of its own."""
        return -(-len(self.train_dataloader()) // self.accumulate)

    def device_batch_size(self) -> int:
        """Images per device and forward pass."""
        return device_batch_size(self.batch_size, world_size=self.place()[1], accumulate=self.accumulate)

    def batches(self, images: Dataset, sampler: EpochSampler, size: int, *, drop_last: bool) -> DataLoader:
        """Batches of `size` in the sampler's order."""
        return DataLoader(
            images,
            batch_size=size,
            sampler=sampler,
            drop_last=drop_last,
            collate_fn=as_it_is,
            num_workers=self.workers,
            worker_init_fn=one_thread,
            persistent_workers=self.workers > 0,
            pin_memory=torch.cuda.is_available(),
            # Its own generator: starting an iterator must not consume the training's random numbers.
            generator=torch.Generator().manual_seed(self.seed),
        )

    def place(self) -> tuple[int, int]:
        """(rank, world size); (0, 1) without a trainer."""
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)


def device_batch_size(batch_size: int, *, world_size: int, accumulate: int) -> int:
    """Images per device and forward pass, from the global batch.

    Raises:
        UserError: where the global batch cannot be shared out evenly.
    """
    if batch_size < 1 or batch_size % (world_size * accumulate):
        raise UserError(
            f"batch_size must be a positive multiple of devices x accumulate ({world_size} x {accumulate}), "
            f"but is {batch_size}"
        )
    return batch_size // (world_size * accumulate)


def one_thread(worker: int) -> None:
    """Keep a loader process to one core: OpenCV would start a thread per core in each of them."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
