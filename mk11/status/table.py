"""The matrix as a table with a list of what is not done, for a terminal or a pipe."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from mk11.status.cells import STATES, Cell
from mk11.status.commands import Command
from mk11.status.matrix import Matrix
from mk11.status.rows import Row
from mk11.terminal import plain

# A state has a sign, a word and a colour; where there is room for signs alone, a legend gives the words.
SIGNS = {"done": "✓", "running": "▶", "failed": "✗", "stopped": "‖", "waiting": "…", "missing": "·"}
ASCII = {"done": "+", "running": ">", "failed": "x", "stopped": "=", "waiting": "~", "missing": "."}
COLOURS = {
    "done": "green",
    "running": "cyan",
    "failed": "red",
    "stopped": "yellow",
    "waiting": "blue",
    "missing": "dim",
}
LABEL = 24  # characters of a row's name that must fit beside the words; what is longer is folded
LISTED = 20  # cells of a state, and commands, that are told in full
TOLD = ("failed", "stopped", "running")


def print_matrix(console: Console, matrix: Matrix, *, only_open: bool) -> None:
    """How many cells are where, and the table."""
    counts = Counter(cell.state for _, cell in matrix.cells())
    others = [f"{counts[state]} {state}" for state in STATES if counts[state] and state != "done"]
    console.print(", ".join([f"{counts['done']} of {counts.total()} cells done", *others]))
    rows = [row for row in matrix.rows if not (only_open and row.complete)]
    if not rows:
        return
    signs = _signs(console)
    table = _table(rows, signs, words=True)
    folded = max(0, max(len(row.label) for row in rows) - LABEL)
    if _natural_width(console, table) - folded <= console.width:
        console.print(table)
        return
    console.print(_table(rows, signs, words=False))
    legend = [f"{signs[state]} {state}" for state in reversed(STATES) if counts[state]]
    console.print("  ".join(legend))


def print_details(console: Console, matrix: Matrix, *, everything: bool) -> None:
    """A line for each cell that failed, stopped or runs."""
    for state in TOLD:
        found = [(row, cell) for row, cell in matrix.cells() if cell.state == state]
        shown = found if everything else found[:LISTED]
        for row, cell in shown:
            line = Text(f"{_signs(console)[state]} {state} ", style=COLOURS[state])
            console.print(line + Text(_sentence(row, cell), style="default"), soft_wrap=True)
        if len(found) > len(shown):
            console.print(f"  and {len(found) - len(shown)} more {state} (--all)")


def print_commands(console: Console, commands: Sequence[Command], *, everything: bool) -> None:
    """What is open and the command that does it, in lines of their own to be copied."""
    shown = commands if everything else commands[:LISTED]
    for reason, of_reason in _by_reason(shown).items():
        console.print()
        ending = ":" if any(of_reason) else ""
        console.print(Text(f"{_capital(plain(reason))}{ending}"), soft_wrap=True)
        for line in filter(None, of_reason):
            console.print(Text(f"  {plain(line)}", style="bold"), soft_wrap=True)
    if len(commands) > len(shown):
        console.print(f"and {len(commands) - len(shown)} more commands (--all)")


def _by_reason(commands: Sequence[Command]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for command in commands:
        found.setdefault(command.reason, []).append(command.line)
    return found


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(row: Row, cell: Cell) -> str:
    where = f" ({cell.folder})" if cell.state == "failed" and cell.folder else ""
    return plain(f"{row.label} fold {cell.fold} seed {cell.seed}: {cell.told}{where}")


def _signs(console: Console) -> Mapping[str, str]:
    return SIGNS if "utf" in console.encoding.lower() else ASCII


def _table(rows: Sequence[Row], signs: Mapping[str, str], *, words: bool) -> Table:
    folds = sorted(
        {fold for row in rows for fold, _ in row.cells}, key=lambda fold: (isinstance(fold, str), fold)
    )
    several = any(len(row.seeds) > 1 for row in rows)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("configuration", overflow="fold")
    if several:
        table.add_column("seeds", no_wrap=True)
    for fold in folds:
        table.add_column(f"fold {fold}" if words and isinstance(fold, int) else str(fold), no_wrap=True)
    for row in rows:
        seeds = [_seeds(row)] if several else []
        of_fold = [[cell for (own, _), cell in row.cells.items() if own == fold] for fold in folds]
        table.add_row(
            Text(plain(row.label)), *seeds, *(_cell(cells, signs, words=words) for cells in of_fold)
        )
    return table


def _seeds(row: Row) -> str:
    return ",".join(map(str, row.seeds)) if len(row.seeds) <= 3 else f"{len(row.seeds)} seeds"


def _cell(cells: Sequence[Cell], signs: Mapping[str, str], *, words: bool) -> Text:
    """One seed by its state; of several, how many are done and the state that most wants attention."""
    if not cells:
        return Text("")
    state = min((cell.state for cell in cells), key=STATES.index)
    if len(cells) > 1:
        done = sum(cell.state == "done" for cell in cells)
        count = f" {done}/{len(cells)}" + (f" {state}" if words and state != "done" else "")
    else:
        count = f" {cells[0].brief or state}" if words else ""
    return Text(f"{signs[state]}{count}", style=COLOURS[state])


def _natural_width(console: Console, table: Table) -> int:
    return Measurement.get(console, console.options.update(max_width=10_000), table).maximum
