"""The commands that finish a matrix."""

import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mk11.status.matrix import Matrix, Unfinished
from mk11.status.rows import Place, Row
from mk11.status.sweeps import OF_THE_CELL, parse

# Not repeated: `rerun` would do finished cells again, `dry` none, `sweep` asks for folds of its own.
DROPPED = (*OF_THE_CELL, "dry", "rerun", "sweep")
OPEN = ("failed", "stopped", "missing")


@dataclass(frozen=True)
class Command:
    """What is open, and the command line that does it; no line where that is going on."""

    reason: str
    line: str


@dataclass(frozen=True)
class Job:
    """Folds and seeds to do; one of the overrides may have several values."""

    script: str
    overrides: tuple[tuple[str, tuple[str, ...]], ...]
    folds: tuple[int | str, ...]
    seeds: tuple[int, ...]

    @property
    def line(self) -> str:
        """As a shell takes it."""
        cells = [("fold", tuple(map(str, self.folds)))]
        if self.seeds != (0,):
            cells.append(("seed", tuple(map(str, self.seeds))))
        told = (*self.overrides, *cells)
        several = ["-m"] if any(len(values) > 1 for _, values in told) else []
        words = [key if key.startswith("~") else f"{key}={','.join(values)}" for key, values in told]
        return shlex.join(["python", self.script, *several, *words])


def finishing(matrix: Matrix) -> list[Command]:
    """For each incomplete sweep its own command line; for other cells one made from a sibling's overrides."""
    commands = [_of_sweep(one) for one in matrix.unfinished]
    covered = {place for one in matrix.unfinished for place in one.open}
    jobs = [job for number, row in enumerate(matrix.rows) for job in _jobs(number, row, covered)]
    return commands + [Command("what no sweep has asked for", job.line) for job in merged(jobs)]


def merged(jobs: Iterable[Job]) -> list[Job]:
    """Jobs that differ in the value of one override as one job with all its values."""
    alike: dict[tuple[object, ...], list[Job]] = defaultdict(list)
    for job in jobs:
        keys = tuple(sorted(key for key, _ in job.overrides))
        alike[job.script, job.folds, job.seeds, keys].append(job)
    return [job for found in alike.values() for job in _merged_by_best_key(found)]


def _merged_by_best_key(jobs: Sequence[Job]) -> list[Job]:
    """Merge over the key that leaves the fewest commands."""
    bundles = {key: _bundles(jobs, key) for key, _ in jobs[0].overrides}
    if len(jobs) == 1 or not bundles:
        return list(dict.fromkeys(jobs))
    key = min(bundles, key=lambda key: len(bundles[key]))
    return [_bundle(found, key) for found in bundles[key]]


def _bundles(jobs: Sequence[Job], key: str) -> list[list[Job]]:
    found: dict[object, list[Job]] = defaultdict(list)
    for job in jobs:
        found[frozenset(pair for pair in job.overrides if pair[0] != key)].append(job)
    return list(found.values())


def _bundle(jobs: Sequence[Job], key: str) -> Job:
    values = tuple(dict.fromkeys(value for job in jobs for value in dict(job.overrides)[key]))
    first = jobs[0]
    overrides = tuple((own, values if own == key else value) for own, value in first.overrides)
    return replace(first, overrides=overrides)


def _of_sweep(unfinished: Unfinished) -> Command:
    sweep = unfinished.sweep
    told = f"the sweep of {sweep.started}, {len(unfinished.open)} of {unfinished.cells} cells open"
    if sweep.alive:
        return Command(f"{told}, is still going", "")
    return Command(f"{told} (to forget it, delete {sweep.folder})", without_rerun(sweep.command))


def _kept(overrides: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Overrides, of which the last of a key counts, as they were written: a `+` adds a key."""
    pairs = {override.partition("=")[0]: override.partition("=")[2] for override in overrides}
    return tuple((key, (value,)) for key, value in pairs.items() if key.lstrip("+") not in DROPPED)


def without_rerun(line: str) -> str:
    """A command line that goes on where it stopped, rather than doing finished cells again."""
    try:
        words = shlex.split(line)
    except ValueError:
        return line
    return shlex.join(word for word in words if parse([word]).keys().isdisjoint({"rerun"}))


def _jobs(number: int, row: Row, covered: set[tuple[int, Place]]) -> list[Job]:
    """What a configuration lacks beyond the sweeps; nothing where no run tells how it was made."""
    runs = row.configuration.runs if row.configuration else ()
    told = [run for run in runs if isinstance(run.record.get("overrides"), list)]
    if not told:
        return []
    last = max(told, key=lambda run: str(run.record.get("started") or ""))
    kept = _kept([str(override) for override in last.record["overrides"]])
    lacking: dict[int, list[int | str]] = defaultdict(list)
    for (fold, seed), cell in sorted(row.cells.items(), key=lambda item: (str(item[0][0]), item[0][1])):
        if cell.state in OPEN and (number, (fold, seed)) not in covered:
            lacking[seed].append(fold)
    seeds: dict[tuple[int | str, ...], list[int]] = defaultdict(list)
    for seed, folds in lacking.items():
        seeds[tuple(folds)].append(seed)
    script = f"{last.record['stage']}.py"
    return [Job(script, kept, folds, tuple(found)) for folds, found in seeds.items()]
