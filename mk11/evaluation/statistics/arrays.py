"""Quotients and means of which some are undefined."""

import numpy as np
from jaxtyping import Float


def divide(
    part: Float[np.ndarray, "..."], whole: Float[np.ndarray, "..."], *, otherwise: float
) -> Float[np.ndarray, "..."]:
    """`part / whole`, and `otherwise` where `whole` is 0."""
    return np.divide(part, whole, out=np.full(part.shape, otherwise), where=whole > 0)


def mean_of_defined(values: Float[np.ndarray, "terms ..."]) -> Float[np.ndarray, "..."]:
    """Mean over the first axis of what is not NaN; NaN where nothing is left."""
    defined = ~np.isnan(values)
    total = np.asarray(np.where(defined, values, 0.0).sum(axis=0))
    return divide(total, np.asarray(defined.sum(axis=0, dtype=np.float64)), otherwise=np.nan)
