"""What the report says on the terminal: results, what is missing, what to be careful with."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console, JustifyMethod
from rich.progress import track
from rich.table import Table as RichTable
from rich.text import Text

from mk11.report.check import Checked
from mk11.report.findings import Findings, Row
from mk11.report.published import Source
from mk11.report.tables.compared import comparison_table
from mk11.report.tables.summary import summary_table
from mk11.report.tables.table import Cell, Table
from mk11.terminal import console_of, plain

SHOWN = ("accuracy", "f1_weighted", "f1_macro", "pr_auc")
LIMIT = 20  # sentences of a kind
ROOM = 18  # characters of a cell that always stay on a line, whatever the width of the terminal


def print_findings(findings: Findings, published: Sequence[Source], *, as_published: bool) -> None:
    """The table of results, then sentences on what is missing and what to be careful with."""
    console = console_of()
    if findings.rows:
        table = summary_table(findings, published, as_published=as_published, metrics=SHOWN)
        console.print(_rich(table), crop=False)
        for note in table.notes:
            console.print(Text(plain(note), style="dim"))
    else:
        console.print("No run has finished yet.")
    if findings.compared:
        console.print(_rich(comparison_table(findings)), crop=False)
    _print_sentences(console, "missing", findings.missing)
    _print_sentences(console, "not compared", findings.refused)
    _print_sentences(console, "warning", findings.warnings)
    _print_sentences(console, "left out", findings.problems)


def print_checked(checked: Checked, *, figures: int) -> None:
    """The problems of a paper, or how much was found in order."""
    for problem in checked.problems:
        print(plain(problem))
    told = f"{checked.numbers} numbers and {checked.macros} macros in {len(checked.files)} files"
    print(f"{told}: {len(checked.problems) or 'none'} not in the ledger of {figures} figures")


def watch(rows: Sequence[Row], words: str) -> Iterable[Row]:
    """The rows, with a bar on standard error while there are several."""
    console = Console(stderr=True)
    shown = len(rows) > 1 and console.is_terminal
    return track(rows, description=words, console=console, transient=True) if shown else rows


def _print_sentences(console: Console, kind: str, sentences: Sequence[str]) -> None:
    for sentence in sentences[:LIMIT]:
        console.print(Text(plain(f"{kind}: {sentence}")), soft_wrap=True)
    if len(sentences) > LIMIT:
        console.print(f"{kind}: {len(sentences) - LIMIT} more")


def _rich(table: Table) -> RichTable:
    """The table for the terminal; nothing in it is read as markup."""
    shown = RichTable(title=Text(plain(table.title)), box=box.SIMPLE_HEAD, title_justify="left")
    for place, name in enumerate(table.columns):
        justify: JustifyMethod = "left" if place < table.left else "right"
        room = _room(name, [row[place] for part in table.parts for row in part.rows])
        shown.add_column(Text(plain(name)), justify=justify, overflow="fold", min_width=room)
    for part in table.parts:
        if part.title is not None:
            shown.add_row(Text(plain(part.title), style="italic"))
        for row in part.rows:
            shown.add_row(*map(_rich_cell, row))
    return shown


def _room(name: str, cells: Sequence[Cell]) -> int:
    """The width below which a column cannot be read: figures and the words of its header stay whole."""
    return max([min(len(cell.text), ROOM) for cell in cells] + [len(word) for word in name.split()])


def _rich_cell(cell: Cell) -> Text:
    raised = f" {','.join(cell.raised)}" if cell.raised else ""
    return Text.assemble((plain(cell.text), "bold" if cell.bold else ""), raised)
