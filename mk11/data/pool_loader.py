"""Batches of a pool: images, or two views of each, without labels."""

from typing import TypedDict

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import Dataset

from mk11.data.batches import TrainingLoaders
from mk11.data.dataset import Transform, input_shape, shareable
from mk11.data.pool import PoolImages
from mk11.data.transforms.randomness import restored_generators, seed_generators
from mk11.data.transforms.resize import require_scale
from mk11.errors import UserError


class PoolBatch(TypedDict):
    """Prepared images, or `views` of each, and their rows in the pool's table."""

    image: Float[Tensor, "batch *views 3 size size"]
    index: Int[Tensor, " batch"]


class PoolViews(Dataset[PoolBatch]):
    """The images of a pool as an augmentation sees them; a pure function of the seed and (epoch, position).

    Args:
        pool: table and decoded images.
        transform: of the image; may give several views of it.
        seed: of the augmentation.

    Raises:
        UserError: data.resize=fixed_scale, and an image whose scale is not known.
    """

    def __init__(self, pool: PoolImages, transform: Transform, seed: int) -> None:
        require_scale(transform.resize, pool.table)
        self.um_per_pixel = pool.table["um_per_pixel"].to_numpy(float)
        self.pixels = pool.pixels
        self.transform = transform
        self.seed = seed

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitems__(self, keys: list[tuple[int, int]]) -> PoolBatch:
        """The images at `keys`, pairs (epoch, position), as one batch; goes with `as_it_is`."""
        batch = shareable(len(keys), *input_shape(self.transform))
        with restored_generators():
            for image, key in zip(batch, keys, strict=True):
                image.copy_(self._prepared(*key))
        rows = torch.tensor([position % len(self) for _, position in keys])
        return {"image": batch, "index": rows}

    def _prepared(self, epoch: int, position: int) -> Float[Tensor, "*views 3 size size"]:
        """The network's input. A position beyond the pool is a repeat within the epoch, drawn anew."""
        row = position % len(self)
        seed_generators(self.seed, epoch, position)
        return self.transform(self.pixels[row], float(self.um_per_pixel[row]))


class PoolLoaders(TrainingLoaders):
    """Training batches of a pool: each image in every epoch, in another order each time.

    All batches are whole: the last one is filled up with the images that came first in this epoch, augmented
    anew.

    Args:
        pool: the images.
        transform: of conf/augment.
        batch_size: images per optimiser step, over all devices and accumulated batches.
        accumulate: batches accumulated per step.
        workers: loader processes per device.
        seed: of the order and of the augmentation.

    Raises:
        UserError: fewer images than a batch.
    """

    def __init__(
        self,
        *,
        pool: PoolImages,
        transform: Transform,
        batch_size: int,
        accumulate: int,
        workers: int,
        seed: int,
    ) -> None:
        super().__init__(
            batch_size=batch_size, accumulate=accumulate, workers=workers, seed=seed, sample_weights=None
        )
        if len(pool.table) < batch_size:
            raise UserError(
                f"batch_size must be at most {len(pool.table)}, the images of the pool, but is {batch_size}"
            )
        self.pool = pool
        self.transform = transform

    def whole(self) -> int:
        """No image is left out of an epoch, and no step is smaller than the others."""
        return self.batch_size

    def training_images(self) -> PoolViews:
        """The pool, augmented."""
        return PoolViews(self.pool, self.transform, self.seed)
