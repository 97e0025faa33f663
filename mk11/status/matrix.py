"""Runs and sweeps joined: one row a configuration, one cell a fold and seed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mk11.runs.configurations import Configuration, group_runs
from mk11.runs.ledger import Run
from mk11.status.cells import Cell, best_known, cell_of
from mk11.status.sweeps import Planned, Shape, Sweep, parse, shape

DONE = ("finished", "skipped")  # statuses of a sweep's cell; skipped: was finished already

Place = tuple[int | str, int]  # fold, seed


@dataclass
class Row:
    """A configuration; `configuration` is None where none of its cells has a run folder yet."""

    label: str
    configuration: Configuration | None
    cells: dict[Place, Cell] = field(default_factory=dict)

    @property
    def seeds(self) -> list[int]:
        """Seeds that it has or is to have."""
        return sorted({seed for _, seed in self.cells})

    @property
    def complete(self) -> bool:
        """Whether every cell has a result."""
        return all(cell.state == "done" for cell in self.cells.values())


@dataclass(frozen=True)
class Unfinished:
    """A sweep with cells that have no result yet: each by the index of its row and its place there."""

    sweep: Sweep
    open: list[tuple[int, Place]]
    cells: int  # that it asked for, as far as its folds are known


@dataclass(frozen=True)
class Matrix:
    """The rows, and the sweeps that are incomplete."""

    rows: list[Row]
    unfinished: list[Unfinished]

    def cells(self) -> Iterable[tuple[Row, Cell]]:
        """Every cell with its row."""
        return ((row, cell) for row in self.rows for cell in row.cells.values())


class Join:
    """Finds the row and the place of every cell, from whichever of run folder and overrides is there."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.rows = [_row_of(configuration) for configuration in group_runs(runs)]
        self.by_folder: dict[Path, tuple[int, Place]] = {}
        self.by_overrides: dict[frozenset[tuple[str, str]], tuple[int, Place]] = {}
        self.by_shape: dict[Shape, int] = {}
        for number, row in enumerate(self.rows):
            assert row.configuration is not None
            for run in row.configuration.runs:
                self._index(number, run)

    def _index(self, number: int, run: Run) -> None:
        overrides = parse(run.record.get("overrides") or ())
        self.by_folder[run.folder.path.resolve()] = (number, (run.fold, run.seed))
        self.by_overrides[frozenset(overrides.items())] = (number, (run.fold, run.seed))
        self.by_shape[shape(overrides)] = number

    def add(self, sweep: Sweep) -> list[tuple[int, Place]]:
        """Put a sweep's cells where they belong; returns their places."""
        names = _names(sweep.cells)
        found = []
        for cell in sweep.cells:
            if not _forgotten(cell):
                number, place = self._place(cell, names)
                self._put(cell, number, place, alive=sweep.alive)
                found.append((number, place))
        return list(dict.fromkeys(found))

    def _place(self, cell: Planned, names: Mapping[Shape, str]) -> tuple[int, Place]:
        if cell.folder is not None and (found := self.by_folder.get(cell.folder.resolve())):
            return found
        if found := self.by_overrides.get(frozenset(cell.overrides.items())):
            return found
        if cell.shape not in self.by_shape:
            self.by_shape[cell.shape] = len(self.rows)
            self.rows.append(Row(names[cell.shape], None))
        return self.by_shape[cell.shape], (cell.fold, cell.seed)

    def _put(self, cell: Planned, number: int, place: Place, *, alive: bool) -> None:
        row = self.rows[number]
        known = row.cells.get(place)
        if known is not None and known.folder is not None:
            return  # its run folder knows better
        if place[0] == "all" and any(seed == place[1] for _, seed in row.cells):
            return  # its folds are there
        row.cells[place] = _unborn(cell, place, alive=alive)

    def done(self, number: int, place: Place) -> bool:
        """Whether a cell has a result; of `fold=all`, whether all its folds have."""
        fold, seed = place
        cells = self.rows[number].cells
        if fold == "all":
            return all(cell.state == "done" for (_, own), cell in cells.items() if own == seed)
        return cells[place].state == "done"


def matrix_of(runs: Sequence[Run], sweeps: Sequence[Sweep]) -> Matrix:
    """The matrix. A sweep whose open cells all belong to later sweeps as well is not told again."""
    join = Join(runs)
    asked = [(sweep, join.add(sweep)) for sweep in sweeps]
    taken: set[tuple[int, Place]] = set()
    unfinished = []
    for sweep, places in reversed(asked):
        still = [(number, place) for number, place in places if not join.done(number, place)]
        if set(still) - taken:
            unfinished.append(Unfinished(sweep, still, len(places)))
            taken |= set(still)
    return Matrix(join.rows, unfinished[::-1])


def _row_of(configuration: Configuration) -> Row:
    row = Row(configuration.label, configuration)
    found: dict[Place, list[Cell]] = {}
    for run in sorted(configuration.runs, key=_started):
        found.setdefault((run.fold, run.seed), []).append(cell_of(run))
    for fold, seed in configuration.missing:
        found.setdefault((fold, seed), [Cell(fold, seed, "missing")])
    row.cells = {place: best_known(cells) for place, cells in found.items()}
    return row


def _started(run: Run) -> str:
    return str(run.record.get("started") or "")


def _forgotten(cell: Planned) -> bool:
    """Whether it had a result that somebody has deleted since."""
    return cell.status in DONE and (cell.folder is None or not cell.folder.exists())


def _unborn(cell: Planned, place: Place, *, alive: bool) -> Cell:
    """A cell without a run folder among the runs read, as its sweep tells."""
    fold, seed = place
    if cell.status in DONE:
        return Cell(fold, seed, "done")
    if cell.status is None:
        return Cell(fold, seed, "waiting" if alive else "missing")
    if cell.status == "running":
        return Cell(fold, seed, *(("running", "starting") if alive else ("stopped", "killed while starting")))
    state = "stopped" if cell.status == "interrupted" else "failed"
    return Cell(fold, seed, state, cell.error or cell.status.replace("_", " "))


def _names(cells: Sequence[Planned]) -> dict[Shape, str]:
    """Names of rows that have no run yet: the overrides that not all cells of the sweep share."""
    shapes = {cell.shape for cell in cells}
    same = frozenset.intersection(*shapes) if len(shapes) > 1 else frozenset()
    return {
        one: " ".join(f"{key}={value}" for key, value in sorted(one - same)) or "all defaults"
        for one in shapes
    }
