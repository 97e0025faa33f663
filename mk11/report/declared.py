"""Comparisons declared in the experiment files, before any figure was seen."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mk11.errors import UserError
from mk11.runs.analysis import DEFAULT_PRIMARY, Pair, analysis_of, declared_pairs
from mk11.runs.configurations import Configuration


@dataclass(frozen=True)
class Family:
    """Comparisons that were declared together: Holm's adjustment is over all of them, made or not."""

    name: str
    metric: str
    pairs: tuple[Pair, ...]


def families(configurations: Sequence[Configuration]) -> tuple[list[Family], list[str]]:
    """The families that runs on one state of the data declare; a sentence for each told in several ways."""
    told: dict[str, set[Family]] = defaultdict(set)
    unread: dict[str, None] = {}  # in order, each once
    for configuration in configurations:
        for run in configuration.runs:
            try:
                family = _family(analysis_of(run.config))
            except UserError as error:
                unread[f"the analysis of {configuration.label} is left out: {error}"] = None
                continue
            if family.pairs:
                told[family.name].add(family)
    agreed = [found for (found, *others) in told.values() if not others]
    return agreed, [
        *unread,
        *(
            f"analysis {name} is declared in {len(found)} ways by its runs: none counts as declared in "
            "advance"
            for name, found in told.items()
            if len(found) > 1
        ),
    ]


def primary_metric(configurations: Sequence[Configuration]) -> tuple[str, list[str]]:
    """The metric that the runs declare as primary; macro F1 where they do not, or not the same one."""
    declared = {analysis_of(run.config).get("primary") for one in configurations for run in one.runs} - {None}
    if len(declared) == 1:
        return str(declared.pop()), []
    if not declared:
        return DEFAULT_PRIMARY, []
    names = ", ".join(sorted(map(str, declared)))
    return DEFAULT_PRIMARY, [
        f"runs declare several primary metrics ({names}): {DEFAULT_PRIMARY} stands for them"
    ]


def _family(analysis: Mapping[str, Any]) -> Family:
    return Family(
        name=str(analysis.get("name") or "default"),
        metric=str(analysis.get("primary") or DEFAULT_PRIMARY),
        pairs=declared_pairs(analysis),
    )
