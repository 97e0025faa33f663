"""One split of a fold as a torch data set of prepared images."""

import math
from typing import Protocol, TypedDict, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from mk11.data.cells import Fold
from mk11.data.transforms.randomness import restored_generators, seed_generators
from mk11.data.transforms.resize import FixedScale, ShortSide, require_scale


@runtime_checkable
class Transform(Protocol):
    """What conf/augment builds; may draw from the global generators.

    One with an attribute `views` above 1 gives so many views of an image, along a first axis of their own.
    """

    resize: ShortSide | FixedScale

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], um_per_pixel: float
    ) -> Float[Tensor, "*views 3 size size"]:
        """The network's input for one image."""


class Item(TypedDict):
    """One prepared image: the network's input, its subtype's index, its row of the fold's table."""

    image: Float[Tensor, "*views 3 size size"]
    label: Int[Tensor, ""]
    index: Int[Tensor, ""]


class Batch(TypedDict):
    """Prepared images: as `Item`, with a batch axis first."""

    image: Float[Tensor, "batch *views 3 size size"]
    label: Int[Tensor, " batch"]
    index: Int[Tensor, " batch"]


class CellImages(Dataset[Item]):
    """The images of one split, prepared; item (epoch, position) is a pure function of the seed and the pair.

    Args:
        fold: table and decoded images.
        split: train, val or test.
        transform: of the image.
        seed: of the augmentation.

    Raises:
        UserError: data.resize=fixed_scale, and an image whose scale is not known.
    """

    def __init__(self, fold: Fold, split: str, transform: Transform, seed: int) -> None:
        rows = np.flatnonzero(fold.table["split"].to_numpy() == split)
        require_scale(transform.resize, fold.table.iloc[rows])
        self.rows = rows
        self.labels = torch.as_tensor(fold.table["label"].to_numpy()[rows].astype(np.int64))
        self.um_per_pixel = fold.table["um_per_pixel"].to_numpy(float)[rows]
        self.pixels = fold.pixels
        self.images_in_table = len(fold.table)
        self.transform = transform
        self.shape = input_shape(transform)
        self.seed = seed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int | tuple[int, int]) -> Item:
        """The image at (epoch, position), a plain position meaning epoch 0.

        A position beyond the split is a repeat within the epoch (`EpochSampler`): the same image, drawn anew.
        """
        epoch, position = key if isinstance(key, tuple) else (0, key)
        with restored_generators():
            image, place = self._prepared(epoch, position)
        return {"image": image, "label": self.labels[place], "index": torch.tensor(self.rows[place])}

    def __getitems__(self, keys: list) -> Batch:
        """The images at `keys` (pairs) as one batch, the way DataLoader asks for it; goes with `as_it_is`.

        Each image is copied into the batch while it is in the processor's cache, and the global generators
        are put back once for all.
        """
        batch = shareable(len(keys), *self.shape)
        places = []
        with restored_generators():
            for image, key in zip(batch, keys, strict=True):
                prepared, place = self._prepared(*key)
                image.copy_(prepared)
                places.append(place)
        return {"image": batch, "label": self.labels[places], "index": torch.from_numpy(self.rows[places])}

    def _prepared(self, epoch: int, position: int) -> tuple[Float[Tensor, "*views 3 size size"], int]:
        """The network's input and its place in the split; leaves the global generators changed."""
        repeat, place = divmod(position, len(self.rows))
        row = int(self.rows[place])
        seed_generators(self.seed, epoch, row + repeat * self.images_in_table)
        return self.transform(self.pixels[row], float(self.um_per_pixel[place])), place


def input_shape(transform: Transform) -> torch.Size:
    """What `transform` makes of an image: (3, size, size), or (views, 3, size, size) for several views."""
    size, views = transform.resize.image_size, getattr(transform, "views", 1)
    return torch.Size([3, size, size] if views == 1 else [views, 3, size, size])


def as_it_is(batch: object) -> object:
    """For DataLoader's `collate_fn`: `CellImages` hands out whole batches."""
    return batch


def shareable(*shape: int) -> Float[Tensor, "*shape"]:
    """Uninitialised float32; in a loader process in shared memory, so that sending it copies nothing.

    torch's own `default_collate` allocates its batches so.
    """
    if get_worker_info() is None:
        return torch.empty(shape)
    storage = torch.UntypedStorage._new_shared(4 * math.prod(shape))
    return torch.empty(0).set_(storage).view(shape)
