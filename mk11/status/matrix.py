"""Runs and sweeps joined: one row a configuration, one cell a fold and seed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mk11.runs.configurations import Configuration
from mk11.status.cells import Cell
from mk11.status.join import Join
from mk11.status.rows import Place, Row
from mk11.status.sweeps import Sweep


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


def matrix_of(configurations: Sequence[Configuration], sweeps: Sequence[Sweep]) -> Matrix:
    """The matrix. A sweep whose open cells all belong to later sweeps as well is not told again."""
    join = Join(configurations)
    asked = [(sweep, join.add(sweep)) for sweep in sweeps]
    taken: set[tuple[int, Place]] = set()
    unfinished = []
    for sweep, found in reversed(asked):
        places = join.resolved(found)
        still = [one for one in places if not join.done(*one)]
        if set(still) - taken:
            unfinished.append(Unfinished(sweep, still, len(places)))
            taken |= set(still)
    return Matrix(join.rows, unfinished[::-1])
