"""Class probabilities for strategies that ask a trained classifier: logistic regression on the features."""

import warnings

import numpy as np
from jaxtyping import Float
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from mk11.selection.strategies.base import Labelled

STRENGTH = 0.01  # C of standardised features: chosen on no split, as validation images must not be looked at
STEPS = 1000


def class_probabilities(
    labelled: Labelled, features: Float[np.ndarray, "candidates dim"]
) -> Float[np.ndarray, "candidates classes"]:
    """Of candidates, by a classifier fitted to a fold's labelled training crops.

    0 for a class without a training crop. On one thread: sums over several differ in their last digits.
    """
    model = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=STEPS))
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # nearly fitted ranks nearly as well
        model.fit(labelled.features.astype(np.float64), labelled.labels)
        found = model.predict_proba(features.astype(np.float64))
    probabilities = np.zeros((len(features), len(labelled.classes)))
    probabilities[:, model.classes_] = found
    return probabilities
