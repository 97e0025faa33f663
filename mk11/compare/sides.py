"""What A and B mean, and their predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mk11.errors import UserError
from mk11.evaluation.statistics.sets import FoldPredictions, load_final, load_folds
from mk11.evaluation.statistics.summary import FoldSummary, over_folds
from mk11.runs.analysis import DEFAULT_PRIMARY, Pair, declared_pairs
from mk11.runs.configurations import Configuration, find_configuration, group_runs
from mk11.runs.ledger import TRAINING, Run, find_runs


@dataclass(frozen=True)
class Side:
    """One of the two. `configuration` holds the runs that were named, which need not be all there are."""

    letter: str
    configuration: Configuration

    @cached_property
    def folds(self) -> list[FoldPredictions]:
        """Test predictions of each fold; those on images locked away only where nothing else was run."""
        found = load_folds(self.configuration)
        final = None if found else load_final(self.configuration)
        return found if final is None else [final]

    @cached_property
    def runs(self) -> list[Run]:
        """The runs that are compared."""
        told = {fold.fold for fold in self.folds}
        return [run for run in self.configuration.finished if run.fold in told]

    @cached_property
    def test(self) -> dict[tuple[int | str, int], Mapping[str, Any]]:
        """Test metrics of each (fold, seed) that is compared."""
        return {(run.fold, run.seed): run.metrics["test"] for run in self.runs if run.metrics is not None}

    def summary(self, metric: str) -> FoldSummary:
        """A metric, or `<measure>:<class>`, over folds."""
        measure, _, subtype = metric.partition(":")
        return over_folds(
            {
                cell: metrics["per_class"][subtype][measure] if subtype else metrics[measure]
                for cell, metrics in self.test.items()
            }
        )

    @property
    def analysis(self) -> Mapping[str, Any]:
        """What its last run has declared to be compared; empty in old runs."""
        return self.configuration.finished[-1].config.get("analysis") or {}

    @property
    def names(self) -> set[str | None]:
        """What a declaration may call it."""
        one = self.configuration
        return {one.key, one.label, one.row, one.model, f"{one.name}/{one.model}"}


@dataclass(frozen=True)
class Declared:
    """A family of comparisons that was written down before any figure was seen, and what it judges by."""

    name: str
    metric: str


def sides(names: Sequence[str], places: Sequence[Path]) -> list[Side]:
    """A and B, each a folder of runs or the name of a configuration under `places`.

    Raises:
        UserError: A name means nothing, several things, or runs without a result; or both mean the same runs.
    """
    found = [_resolve(name, places) for name in names]
    own = [{run.folder.path.resolve() for run in one.finished} for one in found]
    if own[0] & own[1]:
        raise UserError(f"A and B must be different runs, but both have {min(own[0] & own[1])}")
    told = {one.key: one.label for one in group_runs(run for one in found for run in one.runs)}
    if len(told) == 1:  # only the runs differ
        return [
            Side(letter, replace(one, label=f"{letter} ({name})"))
            for letter, one, name in zip("AB", found, names, strict=True)
        ]
    return [Side(letter, replace(one, label=told[one.key])) for letter, one in zip("AB", found, strict=True)]


def primary_of(pair: Sequence[Side]) -> str | None:
    """The metric that both have declared before the figures were seen."""
    told = {side.analysis.get("primary") for side in pair}
    return told.pop() if len(told) == 1 else None


def declaration_of(pair: Sequence[Side], *, metric: str) -> Declared | None:
    """The declared analysis that compares the one with the other, if it can be by this metric."""
    found = [
        Declared(str(side.analysis.get("name")), str(side.analysis.get("primary") or DEFAULT_PRIMARY))
        for side in pair
        if any(_is_pair(names, pair) for names in declared_pairs(side.analysis))
    ]
    return next((one for one in found if one.metric == metric), found[0] if found else None)


def _is_pair(names: Pair, pair: Sequence[Side]) -> bool:
    row, against = names
    return any(row in one.names and against in other.names for one, other in (pair, pair[::-1]))


def _resolve(name: str, places: Sequence[Path]) -> Configuration:
    runs = _runs_in(name)
    if runs:
        finished = [one for one in group_runs(runs) if one.finished]
        if not finished:
            raise UserError(f"{name} must hold a finished run, but its {len(runs)} are not finished")
        if len(finished) > 1:
            told = ", ".join(f"{one.label} ({one.key})" for one in finished)
            raise UserError(
                f"{name} must hold runs of one configuration, but holds {told}: "
                f"name one of them, with --runs {name}"
            )
        return finished[0]
    found = find_configuration(group_runs(_runs_under(places, name)), name)
    if not found.finished:
        raise UserError(f"{name} must have a finished run, but has none")
    return found


def _runs_in(name: str) -> list[Run]:
    if not Path(name).is_dir():
        return []
    found, problems = find_runs([Path(name)])
    runs = [run for run in found if run.stage == TRAINING]
    if problems and not runs:
        raise UserError(problems[0])
    return runs


def _runs_under(places: Sequence[Path], name: str) -> list[Run]:
    for place in places:
        if not place.is_dir():
            raise UserError(
                f"A and B must be folders of runs or configurations under --runs {place}, but {name} is no "
                f"folder and {place} does not exist"
            )
    return [run for run in find_runs(places)[0] if run.stage == TRAINING]
