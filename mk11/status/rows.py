"""Rows of the matrix: a configuration with its cells."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mk11.runs.configurations import Configuration
from mk11.runs.ledger import Run
from mk11.status.cells import Cell, best_known, cell_of

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

    def folds(self, seed: int) -> list[Place]:
        """The numbered folds of a seed."""
        return sorted((fold, own) for fold, own in self.cells if isinstance(fold, int) and own == seed)


def rows_of(configurations: Sequence[Configuration]) -> list[Row]:
    """A row for each, with the cells that have a run folder and those that it lacks."""
    return [Row(one.label, one, _cells(one)) for one in configurations]


def _cells(configuration: Configuration) -> dict[Place, Cell]:
    found: dict[Place, list[Cell]] = {}
    for run in sorted(configuration.runs, key=_started):
        found.setdefault((run.fold, run.seed), []).append(cell_of(run))
    for fold, seed in configuration.missing:
        found.setdefault((fold, seed), [Cell(fold, seed, "missing")])
    return {place: best_known(cells) for place, cells in found.items()}


def _started(run: Run) -> str:
    return str(run.record.get("started") or "")
