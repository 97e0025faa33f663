"""What frozen features know of the labels: k nearest neighbours, a linear probe, nearest class means.

Each gives scores, (images, classes), whose largest entry is the prediction. Features come as one matrix per
split; what has as many entries as queries x references is made and used in parts.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn import functional as F

VALUES_AT_ONCE = 2**24  # similarities held at one time: 64 MiB

Choice = TypeVar("Choice", int, float)
Features = Float[Tensor, "images dim"]
Labels = Int[Tensor, " images"]


def label_metrics(predicted: Labels, labels: Labels) -> dict[str, float]:
    """What predictions without a ranking allow of `mk11.metrics.final`, as defined there."""
    hits = predicted == labels
    present = labels.unique()
    return {
        "f1_macro": float(f1_score(labels.cpu(), predicted.cpu(), average="macro", zero_division=0)),
        "balanced_accuracy": float(
            torch.stack([hits[labels == label].double().mean() for label in present]).mean()
        ),
        "accuracy": float(hits.double().mean()),
    }


def best_choice(found: Mapping[Choice, float]) -> Choice:
    """The key of the highest value; of equals the first."""
    return max(found, key=lambda choice: found[choice])


class Neighbours(NamedTuple):
    """The most similar references of each query, most similar first."""

    similarity: Float[Tensor, "queries count"]  # cosine
    rows: Int[Tensor, "queries count"]  # of the references


def nearest(
    queries: Float[Tensor, "queries dim"], references: Float[Tensor, "references dim"], *, count: int
) -> Neighbours:
    """The `count` references of largest cosine similarity to each query."""
    references = F.normalize(references.float(), dim=1)
    found = [
        torch.topk(F.normalize(part.float(), dim=1) @ references.T, count, dim=1)
        for part in queries.split(max(1, VALUES_AT_ONCE // len(references)))
    ]
    return Neighbours(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def knn_scores(
    neighbours: Neighbours,
    labels: Int[Tensor, " references"],
    *,
    k: int,
    temperature: float,
    num_classes: int,
) -> Float[Tensor, "queries classes"]:
    """Shares of a weighted vote of the k nearest (Wu et al. 2018, sec. 3.4; DINO's evaluation).

    A neighbour of cosine similarity s votes for its class with weight exp(s / temperature); here relative to
    the nearest one's weight, which cancels in the shares and cannot overflow.
    """
    similarity, rows = (part[:, :k] for part in neighbours)
    weight = torch.exp((similarity - similarity[:, :1]) / temperature)  # (queries, k)
    votes = weight.new_zeros(len(weight), num_classes)
    votes.scatter_add_(1, labels.to(rows.device)[rows], weight)
    return votes / votes.sum(dim=1, keepdim=True)


@dataclass(frozen=True)
class LinearProbe:
    """A fitted linear probe; `validation` is the macro-F1 that each strength reached there."""

    model: Pipeline
    strength: float  # the chosen C, the inverse of the penalty
    validation: dict[float, float]
    converged: bool
    num_classes: int

    def scores(self, features: Features) -> Float[Tensor, "images classes"]:
        """Class probabilities; 0 for a class without a training image."""
        scores = torch.zeros(len(features), self.num_classes, dtype=torch.float64)
        probabilities = self.model.predict_proba(features.double().numpy())
        scores[:, self.model.classes_] = torch.from_numpy(probabilities)
        return scores


def linear_probe(
    features: Features,
    labels: Labels,
    *,
    val_features: Float[Tensor, "val_images dim"],
    val_labels: Int[Tensor, " val_images"],
    strengths: Sequence[float],
    steps: int,
    num_classes: int,
) -> LinearProbe:
    """Multinomial logistic regression on standardised features, its penalty chosen on the validation split.

    Standardising stands for the batch norm without parameters of MAE's linear probe (app. A.1), with mean and
    deviation of all training images. The problem is convex: no learning rate, no schedule, no seed.

    Args:
        features: To fit on.
        labels: Theirs.
        val_features: To choose C on, by macro-F1; of equals the smallest C, that is the strongest penalty.
        val_labels: Theirs.
        strengths: Values of C to try.
        steps: Most iterations of L-BFGS for each.
        num_classes: Columns of the scores.
    """
    train = features.double().numpy()
    fitted, converged, validation = {}, {}, {}
    for strength in sorted(strengths):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=steps))
        converged[strength] = _converges(model, train, labels)
        predicted = torch.from_numpy(model.predict(val_features.double().numpy()))
        fitted[strength] = model
        validation[strength] = label_metrics(predicted, val_labels)["f1_macro"]
    best = best_choice(validation)
    return LinearProbe(fitted[best], best, validation, converged[best], num_classes)


def _converges(model: Pipeline, features: object, labels: Tensor) -> bool:
    """Fit; False where L-BFGS stopped at its last iteration, which is no reason to stop a command."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(features, labels.numpy())
    return not told


def centred_directions(features: Features, mean: Float[Tensor, " dim"]) -> Float[Tensor, "images dim"]:
    """Features less a mean, l2-normalised (SimpleShot's CL2N, Wang et al. 2019, sec. 3).

    The mean is that of all training images, for which no label is needed. Without it a direction that all
    images share hides those in which classes differ.
    """
    return F.normalize(features.float() - mean, dim=1)


def class_means(features: Features, labels: Labels, *, num_classes: int) -> Float[Tensor, "classes dim"]:
    """Prototypes (Snell et al. 2017, eq. 1): the mean of each class; NaN for a class without an image."""
    total = features.new_zeros(num_classes, features.shape[1]).index_add_(0, labels, features)
    return total / torch.bincount(labels, minlength=num_classes)[:, None]


def prototype_scores(
    features: Features, prototypes: Float[Tensor, "classes dim"]
) -> Float[Tensor, "images classes"]:
    """Negative squared distance to each prototype; -inf for one that does not exist."""
    return -torch.cdist(features, prototypes).square().nan_to_num(nan=torch.inf)
