"""Each image's own random numbers, whatever process or order it is prepared in."""

import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import numpy as np
import torch


@contextmanager
def restored_generators() -> Iterator[None]:
    """Leave torch's (CPU), numpy's and Python's global generators as they were.

    timm and torchvision draw from these, so they are set (`seed_generators`) rather than passed.
    """
    before = torch.default_generator.get_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.default_generator.set_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])


def seed_generators(seed: int, epoch: int, index: int) -> None:
    """Seed the three global generators; the seeds are parts of one hash, so neighbours share nothing."""
    digest = blake2b(struct.pack("<3q", seed, epoch, index), digest_size=20).digest()
    for_torch, for_random, for_numpy = struct.unpack("<qQI", digest)
    torch.default_generator.manual_seed(for_torch)  # torch.manual_seed also visits every accelerator: 100 us
    np.random.seed(for_numpy)
    random.seed(for_random)
