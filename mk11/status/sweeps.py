"""What multirun commands have asked for: `<runs>/sweeps/<time>/matrix.json` and what became of each cell."""

import os
import shlex
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mk11.errors import UserError
from mk11.files import read_json
from mk11.runs.ledger import TRAINING, visited

# Overrides that say which cell, or how it is run: two cells that agree in all others share a configuration.
OF_THE_CELL = ("fold", "seed")
OF_THE_COMMAND = ("dry", "jobs", "jobs_per_gpu", "jobs_timeout", "rerun", "runs", "sweep")
FRESH = 120.0  # s without a changed file after which a sweep of another machine counts as dead

Shape = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Planned:
    """A cell that a sweep asked for. `status` is None before it began."""

    overrides: Mapping[str, str]
    fold: int | str
    seed: int
    status: str | None = None
    folder: Path | None = None
    error: str = ""

    @property
    def shape(self) -> Shape:
        """What it shares with the other folds and seeds of its configuration."""
        return shape(self.overrides)

    @property
    def whole(self) -> bool:
        """Whether it stands for those folds of `fold=all` that have not begun."""
        return self.fold == "all" and self.status is None


@dataclass(frozen=True)
class Sweep:
    """One multirun command. `alive` as far as its files and its process tell."""

    folder: Path
    command: str
    cells: tuple[Planned, ...]
    alive: bool

    @property
    def started(self) -> str:
        """When, by its folder's name."""
        try:
            # The name ends in microseconds, or in nothing for folders of earlier days.
            return datetime.strptime(self.folder.name[:19], "%Y-%m-%d_%H-%M-%S").strftime("%Y-%m-%d %H:%M")
        except ValueError:
            return self.folder.name


def find_sweeps(places: Iterable[Path]) -> tuple[list[Sweep], list[str]]:
    """The sweeps under some folders, oldest first, and a sentence for each that cannot be read."""
    folders = {
        path.resolve()
        for place in places
        for path, files in visited(place.absolute())
        if "matrix.json" in files
    }
    sweeps, problems = [], []
    for folder in sorted(folders, key=lambda path: (path.name, str(path))):
        try:
            sweeps.append(read_sweep(folder))
        except (UserError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            problems.append(f"{folder / 'matrix.json'} was left out: {type(error).__name__}: {error}")
    return sweeps, problems


def read_sweep(folder: Path) -> Sweep:
    """The sweep in a folder; a `fold=all` cell stands beside the folds of it that have begun."""
    content = read_json(folder / "matrix.json")
    records = [_record(path) for path in sorted((folder / "cells").glob("*.json"))]
    by_number: dict[int, list[Mapping[str, Any]]] = {}
    for record in records:
        by_number.setdefault(int(record["num"]), []).append(record)
    cells = []
    stage = stage_of(str(content["command"]))
    for number, asked in enumerate(content["cells"]):
        begun = by_number.get(number, [])
        whole, parts = planned([*stage, *asked["overrides"]]), [_begun(record, stage) for record in begun]
        cells += parts
        if not parts or (whole.fold == "all" and all(part.fold != "all" for part in parts)):
            cells.append(whole)
    return Sweep(folder, str(content["command"]), tuple(cells), _alive(folder, content))


def stage_of(command: str) -> list[str]:
    """What tells cells of another script than train.py from its own, as an override: `stage=pretrain`."""
    scripts = [Path(word).stem for word in command.split() if word.endswith(".py")]
    return [f"stage={name}" for name in scripts[:1] if name != TRAINING]


def parse(overrides: Sequence[str]) -> dict[str, str]:
    """Key to value; of a key given twice the last value counts, as in Hydra."""
    pairs = (str(override).lstrip("+").partition("=") for override in overrides)
    return {key: value for key, _, value in pairs}


def shape(overrides: Mapping[str, str]) -> Shape:
    """What overrides have to say about the configuration alone."""
    left = (pair for pair in overrides.items() if pair[0] not in (*OF_THE_CELL, *OF_THE_COMMAND))
    return frozenset(left)


def data_of(overrides: Mapping[str, str]) -> Shape:
    """What overrides have to say about the data alone."""
    return frozenset(pair for pair in overrides.items() if pair[0].partition(".")[0] == "data")


def planned(overrides: Sequence[str]) -> Planned:
    """A cell as it was asked for."""
    parsed = parse(overrides)
    fold = parsed.get("fold", "0")
    seed = parsed.get("seed", "0")
    return Planned(parsed, int(fold) if fold.isdecimal() else fold, int(seed) if seed.isdecimal() else 0)


def _begun(record: Mapping[str, Any], stage: Sequence[str]) -> Planned:
    asked = planned([*stage, *record["overrides"]])
    fold = asked.fold if record.get("fold") is None else record["fold"]
    folder = Path(record["folder"]) if record.get("folder") else None
    return Planned(
        asked.overrides, fold, asked.seed, str(record["status"]), folder, str(record.get("error") or "")
    )


def _record(path: Path) -> Mapping[str, Any]:
    record = read_json(path)
    if not isinstance(record, dict):
        raise UserError(f"{path} must hold the keys of a cell, but holds none")
    return record


def _alive(folder: Path, content: Mapping[str, Any]) -> bool:
    """Whether the command still runs: its process on this machine; on another one, signs of life."""
    if content.get("host") == socket.gethostname() and isinstance(content.get("pid"), int):
        return _is_process(content["pid"], str(content["command"]))
    files = [folder / "matrix.json", *(folder / "cells").glob("*.json"), *(folder / "logs").glob("*.log")]
    return time.time() - max(path.stat().st_mtime for path in files) < FRESH


def _is_process(pid: int, command: str) -> bool:
    """Whether a process of that number is there and, where the system tells, was started by that command."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is there, but another user's
        pass
    try:
        started = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True
    scripts = [word for word in shlex.split(command) if word.endswith(".py")]
    return all(script.encode() in started for script in scripts)
