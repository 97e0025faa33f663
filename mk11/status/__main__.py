"""Show where the matrix stands: done, running, failed, missing, and the command that finishes it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mk11.errors import UserError
from mk11.runs.configurations import group_runs, mixed_data, repeated
from mk11.runs.ledger import find_runs
from mk11.runs.states import unmixed
from mk11.status.commands import finishing
from mk11.status.matrix import matrix_of
from mk11.status.sweeps import find_sweeps
from mk11.status.table import print_commands, print_details, print_matrix
from mk11.terminal import console_of, plain

DEFAULT = Path("runs")
NOTES = 10
EXAMPLE = """example: python -m mk11.status runs
         watch -n 30 python -m mk11.status      (every 30 seconds)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 2 for a mistake of the user's, told in one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m mk11.status",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUNS", help="folders of runs (default: runs)")
    parser.add_argument("--open", action="store_true", help="only configurations with cells left to do")
    parser.add_argument("--all", action="store_true", help="every cell and command, not the first 20")
    options = parser.parse_args(arguments)
    try:
        show(options.runs, only_open=options.open, everything=options.all)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def show(places: Sequence[Path], *, only_open: bool, everything: bool) -> None:
    """Print the matrix of some folders."""
    console = console_of()
    if not places and not DEFAULT.is_dir():
        console.print(_nothing([DEFAULT]), soft_wrap=True, markup=False)
        return
    places = places or [DEFAULT]
    runs, problems = find_runs(places)
    sweeps, unreadable = find_sweeps(places)
    configurations, apart = unmixed(group_runs(runs))
    matrix = matrix_of(configurations, sweeps)
    if matrix.rows:
        print_matrix(console, matrix, only_open=only_open)
        print_details(console, matrix, everything=everything)
        print_commands(console, finishing(matrix), everything=everything)
    else:
        console.print(_nothing(places), soft_wrap=True, markup=False)
    notes = [*problems, *unreadable, *apart, *mixed_data(configurations), *repeated(configurations)]
    for note in notes if everything else notes[:NOTES]:
        print(f"note: {plain(note)}", file=sys.stderr)
    if not everything and len(notes) > NOTES:
        print(f"note: and {len(notes) - NOTES} more (--all)", file=sys.stderr)


def _nothing(places: Sequence[Path]) -> str:
    told = ", ".join(map(str, places))
    return f"no runs under {told}: python train.py makes one, python -m mk11.status RUNS looks elsewhere"


if __name__ == "__main__":
    raise SystemExit(main())
