"""A sweep file: `conf/wandb/*.yaml`, the format of W&B."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from mk11.errors import UserError
from mk11.search.space import Parameter

METHODS = ("grid", "random", "bayes")
DEFAULT_COMMAND = ("${env}", "${interpreter}", "${program}", "${args}")  # W&B's
OBJECTIVE = re.compile(r"val/(?P<fold>\w+)|cv/val_(?P<mean>\w+)_mean")


@dataclass(frozen=True)
class SearchFile:
    """What a search is: its parameters, how it samples them, the command of a trial and its objective."""

    name: str
    method: str
    metric: str | None  # None: nothing is chosen, as in a grid of folds
    direction: Literal["minimize", "maximize"]
    program: str
    command: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    run_cap: int | None

    @property
    def monitor(self) -> str | None:
        """The metric that the objective is the best validation value of."""
        found = OBJECTIVE.fullmatch(self.metric or "")
        return (found["fold"] or found["mean"]) if found else None

    @property
    def is_mean(self) -> bool:
        """Whether the objective is the mean over all folds."""
        return bool(self.metric and self.metric.startswith("cv/"))

    def fingerprint(self) -> str:
        """What must not change while a search goes on: another space or objective is another search."""
        told = [self.method, self.metric, self.direction, {p.name: dict(p.told) for p in self.parameters}]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]


def read_search(path: Path) -> SearchFile:
    """The search that a file describes.

    Raises:
        UserError: The file is missing or no sweep file, or asks for what is not to be had here.
    """
    try:
        told = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} must be a sweep file of W&B, but is not: {error}") from error
    if not isinstance(told, dict) or not isinstance(told.get("parameters"), dict):
        raise UserError(f"{path} must be a sweep file of W&B with `method` and `parameters`, but is not")
    try:
        return _search(told, name=str(told.get("name") or path.stem))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _search(told: Mapping[str, Any], *, name: str) -> SearchFile:
    if told.get("method") not in METHODS:
        raise UserError(f"method must be one of {', '.join(METHODS)}, but is {told.get('method')}")
    if "program" not in told:
        raise UserError("program must be given, such as train.py")
    metric = told.get("metric") or {}
    found = SearchFile(
        name=name,
        method=told["method"],
        metric=metric.get("name"),
        direction=_direction(metric),
        program=str(told["program"]),
        command=tuple(str(part) for part in told.get("command", DEFAULT_COMMAND)),
        parameters=tuple(Parameter(key, value) for key, value in told["parameters"].items()),
        run_cap=told.get("run_cap"),
    )
    _check_objective(found)
    return found


def _direction(metric: Mapping[str, Any]) -> Literal["minimize", "maximize"]:
    goal = metric.get("goal", "minimize" if metric else "maximize")  # the former is W&B's default
    if goal not in ("minimize", "maximize"):
        raise UserError(f"metric.goal must be minimize or maximize, but is {goal}")
    return goal


def _check_objective(search: SearchFile) -> None:
    """Tuning sees inner validation splits only: never the test part of a fold."""
    if search.metric is None and search.method == "bayes":
        raise UserError("metric must be given for method bayes, such as val/pr_auc")
    if search.metric is not None and search.monitor is None:
        raise UserError(
            "metric.name must be val/<metric> of one fold or cv/val_<metric>_mean of all, of the inner"
            f" validation splits, but is {search.metric}"
        )
