"""The declared analysis: which rows are compared, by which metric, decided before the figures are seen."""

from collections.abc import Mapping
from typing import Any

from mk11.errors import UserError

DEFAULT_PRIMARY = "f1_macro"  # where runs declare none, or several
Pair = tuple[str, str]  # a row, and the row that it is compared with


def declared_pairs(analysis: Mapping[str, Any]) -> tuple[Pair, ...]:
    """What `analysis.comparisons` declares: a name is compared with `analysis.baseline`, a pair is its own.

    Raises:
        UserError: An entry is neither, or is a name where there is no baseline.
    """
    told = analysis.get("comparisons") or ()
    entries = [told] if isinstance(told, str) else list(told)
    return tuple(dict.fromkeys(_pair(entry, analysis.get("baseline")) for entry in entries))


def _pair(entry: object, baseline: object) -> Pair:
    if isinstance(entry, list | tuple) and len(entry) == 2:
        return str(entry[0]), str(entry[1])
    if not isinstance(entry, str):
        raise UserError(f"analysis.comparisons must list rows, or pairs [row, against], but has {entry}")
    if baseline is None:
        raise UserError(f"analysis.baseline must name the row that {entry} is compared with, but is null")
    return entry, str(baseline)


def analysis_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The declared analysis of a run's config; empty in old ones."""
    found = config.get("analysis")
    return found if isinstance(found, Mapping) else {}
