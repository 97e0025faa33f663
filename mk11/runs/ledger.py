"""The ledger: every run under some folders, read from JSON and YAML alone, never from a checkpoint."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from mk11.errors import UserError
from mk11.files import read_json
from mk11.runs.folder import HEARTBEAT_SECONDS, RunFolder
from mk11.runs.shapes import FINAL, config_faults, metrics_faults, other_metrics_faults, record_faults

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times faster
DEAD_AFTER = 6 * HEARTBEAT_SECONDS
MOST_TOLD = 5  # keys of a damaged file
TRAINING = "train"  # the stage whose runs end in predictions
NOT_RUNS = {"previous", "checkpoints", "figures", "tensorboard", "wandb"}

__all__ = ["FINAL", "Run", "find_runs", "is_beating", "read_run", "run_folders", "visited"]


@dataclass(frozen=True)
class Run:
    """One run folder: `record` is its run.json, `metrics` its metrics.json (None unless it finished)."""

    folder: RunFolder
    record: Mapping[str, Any]
    metrics: Mapping[str, Any] | None

    @property
    def stage(self) -> str:
        """The script that made it: train, pretrain or select."""
        return str(self.record["stage"])

    @property
    def name(self) -> str:
        """The experiment's name, the first level under the stage."""
        return str(self.record["experiment"])

    @property
    def model(self) -> str:
        """The choice of the config group `model`; of the other stages, of `ssl` or `selection`."""
        return str(self.record["model"])

    @property
    def row(self) -> str | None:
        """The experiment file it was made from, such as `mk11/convnext`."""
        return (self.record.get("choices") or {}).get("experiment")

    @property
    def fold(self) -> int | str:
        """A number, or `final`."""
        return self.record["fold"]

    @property
    def seed(self) -> int:
        """Of weights, order and augmentation."""
        return int(self.record["seed"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in their order."""
        return tuple(self.record["data"]["classes"])

    @property
    def data_set(self) -> str | None:
        """Fingerprint of images, labels, groups, scales and the splits of all folds; None in old runs."""
        return self.record["data"].get("set")

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The resolved config, read on first use."""
        try:
            content = yaml.load(self.folder.config.read_text(), Loader=LOADER)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            told = " ".join(str(error).split())
            raise UserError(f"{self.folder.config} must be a run's config, but is not: {told}") from error
        if not isinstance(content, dict):
            raise UserError(f"{self.folder.config} must be a run's config, but holds no keys")
        if wrong := config_faults(content):
            raise UserError(
                f"{self.folder.config} must have {', '.join(wrong)} as configs of runs have, but has not"
            )
        return content

    @cached_property
    def status(self) -> str:
        """finished, running, failed, interrupted, or `died`: says running, but its heartbeat has stopped."""
        told = str(self.record.get("status"))
        if told == "running" and not is_beating(self.folder):
            return "died"
        return told


def is_beating(folder: RunFolder) -> bool:
    """Whether a process has touched the folder's heartbeat within the last minute."""
    try:
        return time.time() - folder.heartbeat.stat().st_mtime < DEAD_AFTER
    except OSError:
        return False


def find_runs(places: Iterable[Path]) -> tuple[list[Run], list[str]]:
    """The runs under some folders in the order of their paths, and a sentence for each that cannot be read.

    Raises:
        UserError: A place does not exist.
    """
    runs: dict[Path, Run] = {}
    problems = []
    for place in places:
        if not place.is_dir():
            raise UserError(f"RUNS must be existing folders, but {place} is not")
        for path in run_folders(place.absolute()):
            if (real := path.resolve()) in runs:
                continue
            try:
                run = read_run(path)
                run.config  # noqa: B018  a damaged config is told here, not to whoever groups the runs
            except (UserError, OSError) as error:
                problems.append(f"{path} was left out: {error}")
            else:
                runs[real] = run
    return list(runs.values()), problems


def run_folders(place: Path) -> Iterator[Path]:
    """Folders with a run.json, without those that a rerun has set aside."""
    for path, files in visited(place):
        if "run.json" in files:
            yield path


def visited(place: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder that can hold runs, in the order of the paths and each once, with the names of its files.

    Links are followed; one that leads back to a folder seen before ends there.
    """
    seen = set()
    for path, folders, files in os.walk(place, followlinks=True):
        real = os.path.realpath(path)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield Path(path), files
        folders[:] = sorted(name for name in folders if name not in NOT_RUNS and not name.startswith("."))
        if "run.json" in files:
            folders.clear()


def read_run(path: Path) -> Run:
    """The run in a folder.

    Raises:
        UserError: run.json or metrics.json is damaged, or lacks what every run has.
    """
    folder = RunFolder(path)
    record = read_json(folder.record) if folder.record.exists() else {}
    if not isinstance(record, dict):
        raise UserError(f"{folder.record} must hold the keys of a run, but holds none")
    if wrong := record_faults(record):
        raise UserError(f"{folder.record} must have {', '.join(wrong)} as runs have, but has not")
    finished = record.get("status") == "finished" and folder.metrics.exists()
    return Run(folder, record, _metrics(folder, record) if finished else None)


def _metrics(folder: RunFolder, record: Mapping[str, Any]) -> Mapping[str, Any]:
    metrics = read_json(folder.metrics)
    faults = metrics_faults if record["stage"] == TRAINING else other_metrics_faults
    if wrong := faults(metrics, record["data"]["classes"]):
        told = ", ".join(wrong[:MOST_TOLD]) + (" and more" if len(wrong) > MOST_TOLD else "")
        raise UserError(f"{folder.metrics} must have {told} as finished runs have, but has not")
    return metrics
