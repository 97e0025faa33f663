"""Configurations: what is the same in all folds and seeds of one row of a table."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mk11.errors import UserError
from mk11.runs.identity import relevant
from mk11.runs.labels import Named, differing, labels
from mk11.runs.ledger import FINAL, TRAINING, Run

PER_RUN = ("fold", "seed")
DATA_STATE = ("data.set", "data.classes")
MOST_LISTED = 12  # configurations in one sentence


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
        """The runs with a result, by fold and seed; of several runs of one cell the one that ended last."""
        last: dict[tuple[int | str, int], Run] = {}
        for run in sorted(self.runs, key=_ended):
            if run.metrics is not None:
                last[run.fold, run.seed] = run
        return tuple(sorted(last.values(), key=_cell))

    @property
    def seeds(self) -> list[int]:
        """Seeds that any of its runs has."""
        return sorted({run.seed for run in self.runs})

    @cached_property
    def expected_folds(self) -> list[int]:
        """Folds of the data set: as the runs tell, else as many as data.folds.count."""
        told = {fold for run in self.runs for fold in run.record["data"].get("folds") or ()}
        found = {run.fold for run in self.runs if isinstance(run.fold, int)}
        if not told and found:
            told = set(range((self.runs[0].config["data"].get("folds") or {}).get("count") or 0))
        return sorted(told | found)

    @cached_property
    def missing(self) -> list[tuple[int, int]]:
        """(fold, seed) without a result, for every seed that has any numbered fold."""
        done = {(run.fold, run.seed) for run in self.finished}
        seeds = sorted({run.seed for run in self.runs if isinstance(run.fold, int)})
        cells = [(fold, seed) for seed in seeds for fold in self.expected_folds]
        return [cell for cell in cells if cell not in done]


def settings_of(run: Run) -> dict[str, Any]:
    """What a run shares with the other folds and seeds of its configuration, as dotted keys."""
    shared = {key: value for key, value in relevant(run.config).items() if key not in PER_RUN}
    weights = run.config.get("model", {}).get("weights")  # a selection has no model
    lineage = run.record.get("lineage") or {}
    # An encoder of an earlier stage differs from fold to fold and is known by how it was made.
    staged = str(weights).startswith("stage:")
    return {
        **shared,
        **({} if run.stage == TRAINING else {"stage": run.stage}),
        "name": run.name,
        "model": run.model,
        "model.weights": weights if staged else lineage.get("weights_hash") or weights,
        "experiment": run.row if staged else None,  # the file says by what stages
        **(_selected(run, lineage) if staged else {}),
        "precision": run.record.get("precision"),
        "data.set": run.data_set,
        "data.classes": list(run.classes),
    }


def _selected(run: Run, lineage: Mapping[str, Any]) -> dict[str, Any]:
    """How the images of the stage before were selected, and from which fields, known by what they show."""
    told = {"select.overrides": (run.config.get("select") or {}).get("overrides")}
    return {key: value for key, value in {**told, "fields": lineage.get("field_states")}.items() if value}


def group_runs(runs: Iterable[Run]) -> list[Configuration]:
    """Runs as configurations, in order of first appearance, each with a label of its own."""
    members: dict[str, list[Run]] = defaultdict(list)
    shared: dict[str, dict[str, Any]] = {}
    for run in runs:
        settings = settings_of(run)
        key = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:8]
        members[key].append(run)
        shared[key] = settings
    told = labels({key: _named(found, shared[key]) for key, found in members.items()})
    return [
        Configuration(key, told[key], shared[key], tuple(sorted(found, key=_cell)))
        for key, found in members.items()
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
            raise UserError(
                f"a configuration must be named so that one is meant, but {name} means {_listed(found)}"
            )
    raise UserError(f"a configuration must be one of {_listed(configurations)}, but is {name}")


def _listed(configurations: Sequence[Configuration]) -> str:
    told = [f"{one.label} ({one.key})" for one in configurations[:MOST_LISTED]]
    more = len(configurations) - len(told)
    return ", ".join([*told, f"{more} more"] if more else told) or "none"


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


def repeated(configurations: Sequence[Configuration]) -> list[str]:
    """A sentence for each cell with several finished runs: the last one counts, they are never averaged."""
    told = []
    for configuration in configurations:
        runs = Counter((run.fold, run.seed) for run in configuration.runs if run.metrics is not None)
        told += [
            f"{configuration.label} fold {fold} seed {seed} has {count} finished runs: the last one counts"
            for (fold, seed), count in runs.items()
            if count > 1
        ]
    return told


def _cell(run: Run) -> tuple[bool, int, int]:
    """Sorts by fold and seed, `final` behind the numbers."""
    return run.fold == FINAL, run.fold if isinstance(run.fold, int) else 0, run.seed


def _ended(run: Run) -> str:
    """Sorts by time: UTC in ISO 8601."""
    return str(run.record.get("ended") or run.record.get("started") or "")


def _named(runs: Sequence[Run], settings: Mapping[str, Any]) -> Named:
    rows = {run.row for run in runs}
    row = rows.pop() if len(rows) == 1 else None
    choices = [run.record.get("choices") or {} for run in runs]
    apart = set(differing(choices))
    agreed = {group: choice for group, choice in choices[0].items() if group not in apart}
    stage = "" if runs[0].stage == TRAINING else f"{runs[0].stage} "
    return Named(row or f"{stage}{runs[0].name}/{runs[0].model}", settings, agreed)
