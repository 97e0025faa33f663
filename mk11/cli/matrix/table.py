"""The table at the end of a matrix: which cell did what, and whether the command has succeeded."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mk11.cli.matrix.records import DONE, CellRecord, MatrixFolder, PlanMatrix


@contextmanager
def told_at_the_end() -> Iterator[None]:
    """Around a script's main: after a multirun, also one that was cut short, print the table of its cells.

    Raises:
        SystemExit: Status 1 if a cell has no result, 130 after Ctrl-C.
    """
    complete = True
    try:
        yield
    finally:
        matrix = PlanMatrix.current
        if matrix is not None:
            complete = print_cells(matrix)
            if matrix.stop.exists():
                raise SystemExit(130)
    if not complete:
        raise SystemExit(1)


def print_cells(matrix: MatrixFolder) -> bool:
    """Print which cell did what; returns whether all have a result."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    records = matrix.records()
    cells = [*records, *_never_begun(matrix, records)]
    names = _names(cells)
    table = Table(title="Cells")
    for column in ("cell", "outcome", "minutes", "value"):
        table.add_column(column, justify="right" if column in ("minutes", "value") else "left")
    for name, record in zip(names, cells, strict=True):
        minutes = "" if record.seconds is None else f"{record.seconds / 60:.1f}"
        value = "" if record.value is None else f"{record.value:.4g}"
        table.add_row(escape(name), _told(record), minutes, value)
    console = Console()
    console.print(table)
    for name, record in zip(names, cells, strict=True):
        if record.error:
            console.print(f"{name}: {record.error}", markup=False, highlight=False, soft_wrap=True)
    console.print(_conclusion(cells, matrix), markup=False, highlight=False, soft_wrap=True)
    sys.stdout.flush()
    return all(record.status in DONE for record in cells)


def _names(cells: Sequence[CellRecord]) -> list[str]:
    """Each cell's overrides, without those that all have."""
    same = set.intersection(*(set(record.overrides) for record in cells)) if len(cells) > 1 else set()
    parts = [[part for part in record.overrides if part not in same] for record in cells]
    return [" ".join(own) or "(all defaults)" for own in parts]


def _told(record: CellRecord) -> str:
    return "finished already" if record.status == "skipped" else record.status.replace("_", " ")


def _never_begun(matrix: MatrixFolder, records: Sequence[CellRecord]) -> list[CellRecord]:
    begun = {record.num for record in records}
    cells = matrix.plan_of().get("cells", [])
    return [
        CellRecord(num, cell["overrides"], status="not begun")
        for num, cell in enumerate(cells)
        if num not in begun
    ]


def _conclusion(cells: Sequence[CellRecord], matrix: MatrixFolder) -> str:
    counts = Counter(map(_told, cells))
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    if all(cell.status in DONE for cell in cells):
        return f"{told}\nlogs: {matrix.path / 'logs'}"
    return f"{told}: the same command again does only what is missing\nlogs: {matrix.path / 'logs'}"
