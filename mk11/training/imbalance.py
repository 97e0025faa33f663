"""What a long-tailed class distribution changes in training: the loss, or which images are drawn.

The seam for further methods: a class here overrides `criterion`, `sample_weights`, or both.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mk11.errors import UserError


class Imbalance:
    """Every image counts once."""

    def criterion(self, counts: Int[np.ndarray, " classes"], *, label_smoothing: float) -> nn.Module:
        """The training loss; takes logits and labels, or logits and class probabilities (mixed images).

        Args:
            counts: Training images per class.
            label_smoothing: Share of the target spread evenly over the classes.
        """
        return nn.CrossEntropyLoss(label_smoothing=label_smoothing)

    def sample_weights(self, labels: Int[np.ndarray, " images"]) -> Float[np.ndarray, " images"] | None:
        """Weight with which each training image is drawn; None: each once an epoch."""
        return None


class ClassWeights(Imbalance):
    """Loss weights in proportion to `1 / count ** power`, their mean over the training images 1."""

    def __init__(self, *, power: float) -> None:
        self.power = _checked("imbalance.power", power)

    def criterion(self, counts: Int[np.ndarray, " classes"], *, label_smoothing: float) -> nn.Module:
        """Weighted cross-entropy, a plain mean over images."""
        weights = inverse_frequency(counts, self.power)
        weights = weights * counts.sum() / (weights * counts).sum()
        return WeightedCrossEntropy(
            torch.tensor(weights, dtype=torch.float32), label_smoothing=label_smoothing
        )


class WeightedCrossEntropy(nn.CrossEntropyLoss):
    """Cross-entropy with class weights, divided by the number of images.

    PyTorch divides by the weights' sum over the batch, or by the images where targets are probabilities:
    then the loss would depend on how a batch is shared over devices, and on whether it is mixed.
    """

    def __init__(self, weight: Float[Tensor, " classes"], *, label_smoothing: float) -> None:
        super().__init__(weight, label_smoothing=label_smoothing, reduction="none")

    def forward(self, logits: Float[Tensor, "batch classes"], target: Tensor) -> Float[Tensor, ""]:
        """Mean over the batch; `target` holds labels or class probabilities."""
        return super().forward(logits, target).mean()


class BalancedSampler(Imbalance):
    """Images drawn, with replacement, in proportion to `1 / count ** power` of their class."""

    def __init__(self, *, power: float) -> None:
        self.power = _checked("imbalance.power", power)

    def sample_weights(self, labels: Int[np.ndarray, " images"]) -> Float[np.ndarray, " images"]:
        """One weight per image; with power 1 each class has the same total weight."""
        return inverse_frequency(np.bincount(labels), self.power)[labels]


def inverse_frequency(counts: Int[np.ndarray, " classes"], power: float) -> Float[np.ndarray, " classes"]:
    """`1 / count ** power` for each class; 0 for a class without images."""
    return np.divide(1.0, counts.astype(float) ** power, out=np.zeros(len(counts)), where=counts > 0)


def _checked(key: str, power: float) -> float:
    if not 0 <= power <= 2:
        raise UserError(f"{key} must be in [0, 2], but is {power}")
    return power
