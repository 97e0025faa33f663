"""One check of an encoder's health, from the features it gives of labelled images now."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from mk11.data.loader import CellLoaders
from mk11.data.transforms.randomness import restored_generators
from mk11.loop.precision import autocast_type
from mk11.metrics.features import feature_std, rankme
from mk11.metrics.probes import knn_scores, label_metrics, nearest
from mk11.models.features import Features, evaluating, features
from mk11.ssl.health.probe import OnlineProbe
from mk11.ssl.method import Method, Pictures
from mk11.ssl.settings import SCORES, HealthSettings


@dataclass
class HealthCheck:
    """Looks at an encoder through the labelled training split of a fold, scored on its validation split.

    Args:
        loaders: Of the labelled fold; the test split is never asked for.
        num_classes: Of the fold.
        settings: How.
        precision: Lightning's name of it.
        seed: Of the probe, and of which pictures are shown.
    """

    loaders: CellLoaders
    num_classes: int
    settings: HealthSettings
    precision: str
    seed: int

    def __post_init__(self) -> None:
        self.probe = OnlineProbe(
            lr=self.settings.probe_lr,
            batch=self.settings.probe_batch,
            epochs=self.settings.probe_epochs,
            seed=self.seed,
        )

    def measure(self, method: Method, device: torch.device) -> dict[str, float]:
        """Macro-F1 and balanced accuracy of probe and nearest neighbours; deviation and rank of features."""
        with undisturbed(device):
            train, val = (self._features(method, split, device) for split in ("train", "val"))
            self.probe.follow(train.values, train.labels, num_classes=self.num_classes)
            finite = bool(torch.isfinite(val.values).all())  # a decomposition raises on anything else
            probe = self.probe.predicted(val.values, reference=train.values)
            found = {"probe": label_metrics(probe, val.labels), "knn": self._neighbours(train, val)}
            return {
                **{f"val/{way}_{name}": scores[name] for way, scores in found.items() for name in SCORES},
                "health/feature_std": float(feature_std(val.values)),
                "health/rankme": float(rankme(val.values)) if finite else math.nan,
            }

    def pictures(self, method: Method, device: torch.device) -> Pictures | None:
        """The same validation images with the same patches hidden at each check; None for MoCo v3."""
        if method.views > 1 or not self.settings.pictures:
            return None
        with undisturbed(device), evaluating(method), torch.no_grad():
            torch.manual_seed(self.seed)
            image = self._shown().to(device)
            noise = method.draw(len(image), device)
            with torch.autocast(device.type, dtype=self._half, enabled=self._half is not None):
                return method.pictures(image, noise=noise)

    @property
    def _half(self) -> torch.dtype | None:
        return autocast_type(self.precision)

    def _features(self, method: Method, split: str, device: torch.device) -> Features:
        return features(method.encoder, self.loaders.loader(split), device=device, autocast=self._half)

    def _neighbours(self, train: Features, val: Features) -> dict[str, float]:
        k = min(self.settings.knn_k, len(train.values))
        scores = knn_scores(
            nearest(val.values, train.values, count=k),
            train.labels,
            k=k,
            temperature=self.settings.knn_temperature,
            num_classes=self.num_classes,
        )
        return label_metrics(scores.argmax(dim=1), val.labels)

    def _shown(self) -> torch.Tensor:
        """Some validation images, as the network sees them."""
        images = self.loaders.loader("val").dataset
        chosen = torch.randperm(len(images))[: self.settings.pictures].tolist()  # type: ignore[arg-type]
        return torch.stack([images[place]["image"] for place in chosen])


@contextmanager
def undisturbed(device: torch.device) -> Iterator[None]:
    """Leave all random generators as they were: training goes on as if nobody had looked."""
    devices = [device] if device.type == "cuda" else []
    with restored_generators(), torch.random.fork_rng(devices=devices):
        yield
