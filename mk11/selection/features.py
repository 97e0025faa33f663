"""Pooled features of crops by any frozen encoder, computed once and kept by what the crop shows."""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from mk11.data.cache import Pixels
from mk11.data.images import content_hash
from mk11.data.transforms.plain import Plain
from mk11.data.transforms.resize import FixedScale, ShortSide
from mk11.errors import UserError
from mk11.models.features import evaluating, pooled
from mk11.selection.feature_files import FeatureFiles
from mk11.terminal import with_progress

VERSION = 1  # of the way from a crop to its features; another one computes anew
PART = 128  # crops in memory at a time (a megabyte each), and images that a killed process may compute again


@runtime_checkable
class Network(Protocol):
    """A network with its weights, and how its images are normalised."""

    @property
    def network(self) -> nn.Module: ...  # noqa: D102
    @property
    def mean(self) -> Sequence[float]: ...  # noqa: D102
    @property
    def std(self) -> Sequence[float]: ...  # noqa: D102


@runtime_checkable
class Encoder(Protocol):
    """A frozen encoder, not built yet; `hash` is that of its weights, `about` says what else it is."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def hash(self) -> str: ...  # noqa: D102
    @property
    def image_size(self) -> int: ...  # noqa: D102
    @property
    def about(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def build(self) -> Callable[[], Network]: ...  # noqa: D102


DEFINING = ("architecture", "options", "class_token")  # of `about`: two networks may share their weights


class Crop(NamedTuple):
    """One crop, and which of the images asked for it is; um_per_pixel is NaN where unknown."""

    row: int
    image: UInt8[np.ndarray, "height width 3"]
    um_per_pixel: float


@dataclass(frozen=True)
class Computing:
    """Where and how features are computed."""

    device: torch.device
    autocast: torch.dtype | None  # part of what is remembered: bf16 moves distances by some 0.5 %
    batch_size: int
    threads: int  # that decode and resize


class FeatureStore:
    """Features of one encoder, on disk below `folder`, for any number of processes.

    Args:
        folder: Shared by all encoders.
        encoder: Built only when something is to be computed.
        resize: How a crop becomes the encoder's square: that of the evaluation transform.
        computing: Device, precision and batches.
    """

    def __init__(
        self, folder: Path, encoder: Encoder, *, resize: ShortSide | FixedScale, computing: Computing
    ) -> None:
        assert resize.image_size == encoder.image_size
        self.encoder, self.resize, self.computing = encoder, resize, computing
        self.about = {
            "version": VERSION,
            "weights": encoder.hash,
            **{key: encoder.about.get(key) for key in DEFINING},
            "resize": {"name": type(resize).__name__, **vars(resize)},
            "precision": str(computing.autocast or "fp32").removeprefix("torch."),
        }
        told = json.dumps(self.about, sort_keys=True, default=str)
        self.key = hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
        self.files = FeatureFiles(folder / self.key, json.loads(told))

    def of(
        self,
        hashes: Sequence[str],
        um_per_pixel: Sequence[float],
        crops: Callable[[list[int]], Iterable[Crop]],
    ) -> Float[np.ndarray, "images dim"]:
        """Features in the order of `hashes`; what nobody has computed yet is computed and kept.

        One process computes for a store at a time; others wait and find it done.

        Args:
            hashes: Content hashes; repeated ones are computed once.
            um_per_pixel: Scales, NaN where unknown; they count where `resize` keeps micrometres.
            crops: Yields the crops of some rows in any order, as lazily as it can. Not called if all is
                known.

        Raises:
            UserError: A crop is not what its hash says, a scale is lacking, features are not finite, or a
                file is damaged.
        """
        names = [self._name(one, scale) for one, scale in zip(hashes, um_per_pixel, strict=True)]
        if not self.files.known(names).issuperset(names):
            with FileLock(self.files.folder / "lock"):
                self._compute(names, hashes, self.files.known(names), crops)
        return self.files.read(names)

    def _name(self, content: str, um_per_pixel: float) -> str:
        if not self.resize.keeps_scale:
            return content
        if math.isnan(um_per_pixel):
            raise UserError(
                f"um_per_pixel must be known for data.resize=fixed_scale, but that of crop {content} is not"
            )
        return f"{content}-{um_per_pixel:.6g}"

    def _compute(
        self,
        names: Sequence[str],
        hashes: Sequence[str],
        known: set[str],
        crops: Callable[[list[int]], Iterable[Crop]],
    ) -> None:
        """Add to disk and to `known` what `known` lacks."""
        first = {name: row for row, name in reversed(list(enumerate(names))) if name not in known}
        asked = sorted(first.values())
        bar = with_progress(crops(asked), total=len(asked), title="features", unit="crop")
        for part in _parts(bar, PART):
            for crop in part:
                self._check(crop, hashes[crop.row])
            found = [names[crop.row] for crop in part]
            self.files.add(found, self._vectors(part))
            known.update(found)
        assert first.keys() <= known, "crops() must yield every row that it is asked for"

    def _check(self, crop: Crop, expected: str) -> None:
        """A wrong crop would be remembered for ever under another one's name."""
        if content_hash(crop.image) != expected:
            raise UserError(
                f"images must not change while they are read, but crop {expected} did; start again"
            )

    def _vectors(self, crops: Sequence[Crop]) -> Float[np.ndarray, "images dim"]:
        """All batches have one size, the last one filled up: a vector must not depend on its neighbours."""
        device, autocast = self.computing.device, self.computing.autocast
        batches, size = [], self.computing.batch_size
        plain = Plain(resize=self.resize, mean=self._built.mean, std=self._built.std)

        def prepared(crop: Crop) -> Tensor:
            return plain(crop.image, crop.um_per_pixel)

        with ThreadPoolExecutor(self.computing.threads) as pool, evaluating(self._ready), torch.no_grad():
            for start in range(0, len(crops), size):
                images = list(pool.map(prepared, crops[start : start + size]))
                images += [images[-1]] * (size - len(images))
                with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
                    batches.append(pooled(self._ready, torch.stack(images).to(device)).float())
        vectors = torch.cat(batches)[: len(crops)].cpu().numpy()  # the only wait for the device
        if not np.isfinite(vectors).all():
            raise UserError(f"the encoder must give finite features, but {self.encoder.name} gives others")
        return vectors

    @cached_property
    def _built(self) -> Network:
        return self.encoder.build()

    @cached_property
    def _ready(self) -> nn.Module:
        return self._built.network.to(self.computing.device)


def crops_of(pixels: Pixels, um_per_pixel: Sequence[float]) -> Callable[[list[int]], Iterator[Crop]]:
    """Decoded images (of a fold, a pool) as `FeatureStore.of` asks for them."""
    return lambda rows: (Crop(row, pixels[row], float(um_per_pixel[row])) for row in rows)


def _parts(crops: Iterator[Crop], size: int) -> Iterator[list[Crop]]:
    """Lists of `size` crops, the last one shorter."""
    while part := list(islice(crops, size)):
        yield part
