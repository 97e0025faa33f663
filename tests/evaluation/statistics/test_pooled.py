import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score

from mk11.errors import UserError
from mk11.evaluation.statistics.pooled import pooled_confusion, pooled_metrics


def test_counts_of_all_folds_are_those_of_all_images_together(drawn_folds):
    folds = drawn_folds(3)
    labels = np.concatenate([fold.labels for fold in folds])
    predicted = np.concatenate([fold.probabilities[0].argmax(axis=1) for fold in folds])
    assert np.array_equal(pooled_confusion(folds), confusion_matrix(labels, predicted))
    assert pooled_metrics(folds) == pytest.approx(
        {
            "accuracy": accuracy_score(labels, predicted),
            "balanced_accuracy": balanced_accuracy_score(labels, predicted),
            "f1_weighted": f1_score(labels, predicted, average="weighted"),
            "f1_macro": f1_score(labels, predicted, average="macro"),
        }
    )


def test_seeds_are_averaged_so_that_every_image_counts_once(drawn):
    fold = drawn(seeds=(0, 1, 2))
    expected = np.mean(
        [confusion_matrix(fold.labels, p.argmax(axis=1), labels=range(4)) for p in fold.probabilities], axis=0
    )
    assert pooled_confusion([fold]) == pytest.approx(expected)
    assert pooled_confusion([fold]).sum() == pytest.approx(60)


def test_no_fold_is_refused():
    with pytest.raises(UserError, match="at least one finished fold"):
        pooled_confusion([])
