"""Configurations: what is the same in all folds and seeds of one row of a table."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mk11.errors import UserError
from mk11.runs.identity import relevant
from mk11.runs.ledger import Run

PER_RUN = ("fold", "seed")
DATA_STATE = ("data.set", "data.classes")


@dataclass(frozen=True)
class Configuration:
    """The runs that differ in fold and seed alone, on one state of the data.

    `key` is a hash of what they share, `label` the shortest name that tells it from the others found with it.
    """

    key: str
    label: str
    settings: Mapping[str, Any]  # dotted keys that can change a result, with weights, precision and data
    runs: tuple[Run, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.runs[0].name

    @property
    def model(self) -> str:
        """The choice of the config group `model`."""
        return self.runs[0].model

    @property
    def row(self) -> str | None:
        """The experiment file, if all its runs were made from one."""
        rows = {run.row for run in self.runs}
        return rows.pop() if len(rows) == 1 else None

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in their order."""
        return self.runs[0].classes

    @cached_property
    def finished(self) -> tuple[Run, ...]:
        """The runs with a result."""
        return tuple(run for run in self.runs if run.metrics is not None)

    @property
    def seeds(self) -> list[int]:
        """Seeds that any of its runs has."""
        return sorted({run.seed for run in self.runs})

    @cached_property
    def expected_folds(self) -> list[int]:
        """Folds of the data set: as the runs tell, else as many as data.folds.count."""
        told = {fold for run in self.runs for fold in run.record["data"].get("folds", ())}
        found = {run.fold for run in self.runs if isinstance(run.fold, int)}
        if not told and found:
            told = set(range(self.runs[0].config["data"]["folds"]["count"]))
        return sorted(told | found)

    @cached_property
    def missing(self) -> list[tuple[int, int]]:
        """(fold, seed) without a result, for every seed that has any fold."""
        done = {(run.fold, run.seed) for run in self.finished}
        cells = [(fold, seed) for seed in self.seeds for fold in self.expected_folds]
        return [cell for cell in cells if cell not in done]


def settings_of(run: Run) -> dict[str, Any]:
    """What a run shares with the other folds and seeds of its configuration, as dotted keys."""
    shared = {key: value for key, value in relevant(run.config).items() if key not in PER_RUN}
    weights = run.config["model"]["weights"]
    lineage = run.record.get("lineage", {})
    # An encoder of an earlier stage differs from fold to fold and is known by how it was made.
    staged = str(weights).startswith("stage:")
    return {
        **shared,
        "name": run.name,
        "model": run.model,
        "model.weights": weights if staged else lineage.get("weights_hash") or weights,
        "precision": run.record.get("precision"),
        "data.set": run.data_set,
        "data.classes": list(run.classes),
    }


def group_runs(runs: Iterable[Run]) -> list[Configuration]:
    """Runs as configurations, in order of first appearance, each with a label of its own."""
    members: dict[str, list[Run]] = defaultdict(list)
    shared: dict[str, dict[str, Any]] = {}
    for run in runs:
        settings = settings_of(run)
        key = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:8]
        members[key].append(run)
        shared[key] = settings
    labels = _labels({key: (_base(found), shared[key]) for key, found in members.items()})
    return [Configuration(key, labels[key], shared[key], tuple(found)) for key, found in members.items()]


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys whose values are not the same in all of them."""
    keys = sorted({key for mapping in settings for key in mapping})
    missing = object()
    return [
        key
        for key in keys
        if any(mapping.get(key, missing) != settings[0].get(key, missing) for mapping in settings)
    ]


def find_configuration(configurations: Sequence[Configuration], name: str) -> Configuration:
    """The configuration that `name` means: its label, key, experiment file, name/model or model.

    Raises:
        UserError: None or several of that name.
    """
    views = ("label", "key", "row", "model")
    for found in (
        *([c for c in configurations if getattr(c, view) == name] for view in views),
        [c for c in configurations if f"{c.name}/{c.model}" == name],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            told = ", ".join(f"{c.label} ({c.key})" for c in found)
            raise UserError(f"a configuration must be named so that one is meant, but {name} means {told}")
    known = ", ".join(f"{c.label} ({c.key})" for c in configurations) or "none"
    raise UserError(f"a configuration must be one of {known}, but is {name}")


def mixed_data(configurations: Sequence[Configuration]) -> list[str]:
    """A sentence for configurations that differ only in the state of the data: they are never averaged."""
    alike: dict[str, list[Configuration]] = defaultdict(list)
    for configuration in configurations:
        rest = {key: value for key, value in configuration.settings.items() if key not in DATA_STATE}
        alike[json.dumps(rest, sort_keys=True, default=str)].append(configuration)
    return [
        f"{found[0].name}/{found[0].model} was run on {len(found)} states of the data"
        f" ({', '.join(str(c.settings['data.set']) for c in found)}): its runs are not averaged over them"
        for found in alike.values()
        if len({str(c.settings["data.set"]) for c in found}) > 1
    ]


def _base(runs: Sequence[Run]) -> str:
    rows = {run.row for run in runs}
    row = rows.pop() if len(rows) == 1 else None
    return row or f"{runs[0].name}/{runs[0].model}"


def _labels(named: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    """Base names, followed by the keys that tell equal ones apart."""
    alike: dict[str, list[str]] = defaultdict(list)
    for key, (base, _) in named.items():
        alike[base].append(key)
    labels = {}
    for base, keys in alike.items():
        apart = differing([named[key][1] for key in keys])
        for key in keys:
            told = ", ".join(f"{name}={named[key][1].get(name, 'absent')}" for name in apart)
            labels[key] = f"{base} [{told}]" if told else base
    return labels
