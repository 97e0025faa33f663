"""What a key of a data set may hold: one sentence with key, rule and value where it holds something else."""

import math
from collections.abc import Collection, Mapping
from typing import Any

from mk11.errors import UserError

Given = Any  # a value as YAML or the command line gives it, not checked yet


def check_whole(key: str, value: Given, *, least: int) -> None:
    """UserError unless `value` is a whole number of at least `least`; 3.0 and true are none."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UserError(f"{key} must be a whole number of at least {least}, but is {value}")


def check_positive(key: str, value: Given) -> None:
    """UserError unless `value` is a finite number above 0."""
    if not _is_number(value) or value <= 0:
        raise UserError(f"{key} must be a number above 0, but is {value}")


def check_fraction(key: str, value: Given) -> None:
    """UserError unless `value` lies strictly between 0 and 1."""
    if not _is_number(value) or not 0 < value < 1:
        raise UserError(f"{key} must be a number in (0, 1), but is {value}")


def check_choice(key: str, value: Given, choices: Collection[object]) -> None:
    """UserError unless `value` is one of `choices`, told as YAML writes them."""
    if value not in choices:
        told = ", ".join(str(choice).lower() for choice in choices)
        raise UserError(f"{key} must be one of {told}, but is {value}")


def check_keys(key: str, value: Given, names: Collection[str]) -> None:
    """UserError unless `value` is a mapping that has all of `names`."""
    if not isinstance(value, Mapping) or not set(names) <= set(value):
        raise UserError(f"{key} must give {', '.join(names)}, but is {value}")


def _is_number(value: Given) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
