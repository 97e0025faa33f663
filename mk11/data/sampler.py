"""Which image comes when: a pure function of (seed, epoch), cut into slices for the devices."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int
from torch.utils.data import Sampler


class EpochSampler(Sampler[tuple[int, int]]):
    """Pairs (epoch, position) for `CellImages`.

    The epoch travels with the position, so that workers that outlive an epoch know it. A position counts
    the images of the split; the k-th repeat of an image within an epoch has `k * count` added, so that a
    repeat is augmented anew. Lightning calls `set_epoch`; every rank draws the same global order and keeps
    its slice.

    Args:
        count: images in the split.
        seed: of the order.
        shuffle: a new order each epoch; otherwise 0, 1, 2, ...
        rank: this device.
        world_size: devices.
        whole: repeat the first images of the epoch's order until there are a multiple of this: the number of
            ranks, which step together, or a whole batch; None: every image appears exactly once over all
            ranks (evaluation).
        weights: (count,) draw with replacement in proportion to these (balanced sampler); None: each once.
    """

    def __init__(
        self,
        *,
        count: int,
        seed: int,
        shuffle: bool,
        rank: int,
        world_size: int,
        whole: int | None,
        weights: Float[np.ndarray, " count"] | None,
    ) -> None:
        self.count = count
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.world_size = world_size
        self.total = count if whole is None else -(-count // whole) * whole
        self.weights = weights
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Take the order of `epoch` from the next iteration on."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self.epoch  # of the whole iteration, whatever is set while it runs
        for position in self.global_order()[self.rank :: self.world_size].tolist():
            yield epoch, position

    def __len__(self) -> int:
        return len(range(self.rank, self.total, self.world_size))

    def global_order(self) -> Int[np.ndarray, " total"]:
        """Positions of all ranks together in this epoch, padded, repeats counted."""
        images = np.resize(self._images(), self.total)  # np.resize wraps around
        return images + self.count * earlier_occurrences(images)

    def _images(self) -> Int[np.ndarray, " count"]:
        generator = np.random.default_rng((self.seed, self.epoch))
        if self.weights is not None:
            return generator.choice(self.count, self.count, p=self.weights / self.weights.sum())
        return generator.permutation(self.count) if self.shuffle else np.arange(self.count)


def earlier_occurrences(values: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """How often each value has already stood before its place: [5, 3, 5, 5] -> [0, 0, 1, 2]."""
    order = np.argsort(values, kind="stable")
    first_of_run = np.searchsorted(values[order], values[order])
    earlier = np.empty(len(values), np.int64)
    earlier[order] = np.arange(len(values)) - first_of_run
    return earlier
