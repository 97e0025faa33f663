"""Finds where in the matrix the cells of a sweep belong."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mk11.runs.configurations import Configuration
from mk11.runs.ledger import TRAINING, Run
from mk11.status.cells import Cell
from mk11.status.rows import Place, Row, rows_of
from mk11.status.sweeps import Planned, Shape, Sweep, data_of, parse, shape

DONE = ("finished", "skipped")  # statuses of a sweep's cell; skipped: was finished already

Spot = tuple[int, Place]  # the index of a row, and a place in it
Named = tuple[Shape, int | str, int]  # what a cell is before it has a row


class Join:
    """Finds the row and the place of every cell, from whichever of run folder and overrides is there."""

    def __init__(self, configurations: Sequence[Configuration]) -> None:
        self.rows = rows_of(configurations)
        self.by_folder: dict[Path, Spot] = {}
        self.by_overrides: dict[frozenset[tuple[str, str]], Spot] = {}
        self.by_shape: dict[Shape, int] = {}
        self.folds_by_data: dict[Shape, set[tuple[int, ...]]] = defaultdict(set)
        for number, configuration in enumerate(configurations):
            for run in configuration.runs:
                self._index(number, run, tuple(configuration.expected_folds))

    def _index(self, number: int, run: Run, folds: tuple[int, ...]) -> None:
        stage = [] if run.stage == TRAINING else [f"stage={run.stage}"]
        overrides = parse([*stage, *(run.record.get("overrides") or ())])
        self.by_folder[run.folder.path.resolve()] = (number, (run.fold, run.seed))
        self.by_overrides[frozenset(overrides.items())] = (number, (run.fold, run.seed))
        self.by_shape[shape(overrides)] = number
        if folds:
            self.folds_by_data[data_of(overrides)].add(folds)

    def add(self, sweep: Sweep) -> list[Spot]:
        """Put a sweep's cells where they belong; returns their spots."""
        names = _names(sweep.cells)
        gone = {_named(cell) for cell in sweep.cells if _forgotten(cell)}
        found: dict[Spot, None] = {}
        for cell in sweep.cells:
            new = [spot for spot in self._spots(cell, names, gone) if not (cell.whole and spot in found)]
            for number, place in new:
                self._put(cell, number, place, alive=sweep.alive)
            found |= dict.fromkeys(new)
        return list(found)

    def resolved(self, spots: Iterable[Spot]) -> list[Spot]:
        """The same with the folds of a `fold=all` cell in its place, once any of them is known."""
        found: dict[Spot, None] = {}
        for number, place in spots:
            folds = self.rows[number].folds(place[1]) if place[0] == "all" else []
            found |= dict.fromkeys((number, one) for one in folds or [place])
        return list(found)

    def done(self, number: int, place: Place) -> bool:
        """Whether a cell has a result."""
        return self.rows[number].cells[place].state == "done"

    def _spots(self, cell: Planned, names: Mapping[Shape, str], gone: set[Named]) -> list[Spot]:
        """Where a cell belongs: one that stands for all folds, in each of them, if they can be told."""
        if _forgotten(cell):
            return []
        if not cell.whole:
            return [self._spot(cell, names)]
        folds = self._folds(cell)
        if not folds:
            begun_and_gone = any((one, seed) == (cell.shape, cell.seed) for one, _, seed in gone)
            return [] if begun_and_gone else [self._spot(cell, names)]
        left = [fold for fold in folds if (cell.shape, fold, cell.seed) not in gone]
        return [(self._spot(cell, names)[0], (fold, cell.seed)) for fold in left]

    def _folds(self, cell: Planned) -> Sequence[int]:
        """What runs of its row tell; else runs whose overrides say the same of the data, if they agree."""
        number = self.by_shape.get(cell.shape)
        own = None if number is None else self.rows[number].configuration
        if own is not None and own.expected_folds:
            return own.expected_folds
        told = self.folds_by_data.get(data_of(cell.overrides), set())
        return next(iter(told)) if len(told) == 1 else ()

    def _spot(self, cell: Planned, names: Mapping[Shape, str]) -> Spot:
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
        if place[0] == "all" and row.folds(place[1]):
            return  # its folds are there
        row.cells[place] = _unborn(cell, place, alive=alive)
        if isinstance(place[0], int):
            row.cells.pop(("all", place[1]), None)


def _named(cell: Planned) -> Named:
    return cell.shape, cell.fold, cell.seed


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
