"""How far a tensor is from the stored part and the stored statistics of the reference's."""

import math
from typing import NamedTuple

import numpy as np
import torch


class Compared(NamedTuple):
    """One comparison of a quantity with the reference."""

    method: str
    array: str
    tolerance: float  # absolute; 0: must be equal
    difference: float  # largest
    ratio: float  # largest difference / tolerance


def largest_difference(golden, array, value, *, probe):
    """Elements of the stored part and statistics of the whole against their tolerances.

    The difference told is the elements', or the statistics' where no element is stored.
    """
    value = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    about, values = golden.meta["arrays"][array], golden.values
    assert list(value.shape) == about["shape"], f"{array} is {value.shape}, not {about['shape']}"
    tolerance, errors = about.get("atol", 0.0), []
    if array in values:
        stored = values[array]
        allowed = tolerance + about.get("rtol", 0.0) * np.abs(stored)
        errors.append((np.abs(value[_slices(about.get("slice", ""))].astype(float) - stored), allowed))
    if f"{array}.stats" in values:
        size = np.array([1, 1, value.size, 1])  # the third is a sum over all elements
        stored = values[f"{array}.stats"] / size
        allowed = tolerance + about.get("stats_rtol", 0.0) * np.abs(stored)
        errors.append((np.abs(_statistics(value, probe(value.size)) / size - stored), allowed))
    # Of the elements, where any are stored: statistics of integers are equal but for rounding in float64.
    difference = float(errors[0][0].max())
    ratio = float(np.max([_ratio(error, allowed).max() for error, allowed in errors]))
    return Compared(golden.method, array, tolerance, difference, ratio)


def _slices(text):
    """The slices of "[:, ::5]"; of an empty text the whole."""
    parts = [part.strip().split(":") for part in text.strip("[]").split(",") if part]
    return tuple(slice(*(int(number) if number else None for number in part)) for part in parts)


def _ratio(error, allowed):
    """Error in units of what is allowed; where nothing is, equal is 0 and different infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error == 0, 0.0, error / allowed)


def _statistics(value, probe):
    """Mean, standard deviation, sum of absolute values, and the product with the probe, in float64."""
    flat = value.astype(np.float64).ravel()
    return np.array([flat.mean(), flat.std(), np.abs(flat).sum(), flat @ probe / math.sqrt(flat.size)])
