"""The longer tables of a comparison: classes, and images that flipped."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from mk11.compare.classes import MEASURES, ClassRow
from mk11.compare.flips import Flip, counts
from mk11.compare.show import say
from mk11.compare.words import percent, signed, span
from mk11.terminal import plain

FIRST = 20  # images that are listed without --all


def print_classes(console: Console, rows: Sequence[ClassRow], *, draws: int) -> None:
    """Both measures in one table, or one below the other where the terminal is narrow."""
    say(console, f"Classes one by one ({draws} draws, intervals not adjusted for their number):")
    table = _classes(rows, list(MEASURES))
    if Measurement.get(console, console.options.update(max_width=10_000), table).maximum <= console.width:
        console.print(table)
        return
    for measure in MEASURES:
        console.print(_classes(rows, [measure]))


def print_flips(console: Console, found: Sequence[Flip], *, images: int, everything: bool) -> None:
    """How many predictions flipped which way, then which."""
    told = ", ".join(f"{count} {kind}" for kind, count in counts(found).items())
    say(console, f"{len(found)} of {images} images are predicted otherwise by B than by A: {told}.")
    if not found:
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("image", "fold", "true", "A", "B"):
        table.add_column(name, overflow="fold")
    shown = found if everything else found[:FIRST]
    for flip in shown:
        sides = [_prediction(flip, side) for side in (0, 1)]
        table.add_row(Text(plain(flip.id)), str(flip.fold), Text(plain(flip.true)), *sides)
    console.print(table)
    more = len(found) - len(shown)
    rest = f"; {more} more, of which one side is less sure, with --all" if more else ""
    say(console, f"* right; beside each class the probability it was given{rest}")


def _classes(rows: Sequence[ClassRow], measures: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("class", overflow="fold")
    table.add_column("images", justify="right")
    for measure in measures:
        for name in (f"{MEASURES[measure]}: A", "B", "A - B"):
            table.add_column(name, justify="right", no_wrap=True)
    for subtype in dict.fromkeys(row.subtype for row in rows):
        of_class = {row.measure: row for row in rows if row.subtype == subtype}
        cells = [cell for measure in measures for cell in _figures(of_class[measure])]
        table.add_row(Text(plain(subtype)), str(of_class[measures[0]].images), *cells)
    return table


def _figures(row: ClassRow) -> list[str]:
    told = "-" if row.interval is None else f"{signed(row.interval.estimate)} {span(row.interval)}"
    return [*map(percent, row.values), told]


def _prediction(flip: Flip, side: int) -> Text:
    """The class with its probability, and a star if it is right."""
    right = flip.predicted[side] == flip.true
    told = f"{flip.predicted[side]} {flip.probability[side]:.2f}{'*' if right else ''}"
    return Text(plain(told), style="green" if right else "default")
