"""Counts out of fold: every image once, predicted by the networks that had not seen it.

Only what is counted may be pooled. Ranking metrics are not here: the scores of different networks have no
common scale, and merging them before ranking gives a figure that belongs to none of them.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mk11.errors import UserError
from mk11.evaluation.statistics.arrays import mean_of_defined
from mk11.evaluation.statistics.sets import FoldPredictions
from mk11.evaluation.statistics.weighted import Counts, accuracy, f1, f1_weighted, recall


def confusion(fold: FoldPredictions) -> Float[np.ndarray, "true predicted"]:
    """Images of each true class (rows) and predicted class (columns), averaged over the fold's seeds."""
    classes = len(fold.classes)
    counts = np.zeros((classes, classes))
    for probabilities in fold.probabilities:
        np.add.at(counts, (fold.labels, probabilities.argmax(axis=1)), 1.0)
    return counts / len(fold.seeds)


def pooled_confusion(folds: Sequence[FoldPredictions]) -> Float[np.ndarray, "true predicted"]:
    """Confusion counts summed over folds. Whole numbers with one seed; the sum is the number of images."""
    if not folds:
        raise UserError("pooled counts must have at least one finished fold, but there is none")
    return np.sum([confusion(fold) for fold in folds], axis=0)


def pooled_metrics(folds: Sequence[FoldPredictions]) -> dict[str, float]:
    """Accuracy, balanced accuracy, weighted and macro F1 of the pooled counts."""
    matrix = pooled_confusion(folds)
    counts = Counts(
        hits=np.diag(matrix)[:, None],
        support=matrix.sum(axis=1)[:, None],
        claimed=matrix.sum(axis=0)[:, None],
    )
    terms = {"accuracy": accuracy, "balanced_accuracy": recall, "f1_weighted": f1_weighted, "f1_macro": f1}
    return {name: float(mean_of_defined(of(counts))[0]) for name, of in terms.items()}
