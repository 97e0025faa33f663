"""What the report says on the terminal: results, what is missing, what to be careful with."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table as RichTable
from rich.text import Text

from mk11.report.check import Checked
from mk11.report.findings import Findings, Row
from mk11.report.published import Source
from mk11.report.tables.compared import comparison_table
from mk11.report.tables.summary import summary_table
from mk11.report.tables.table import Cell, Table

SHOWN = ("accuracy", "f1_weighted", "f1_macro", "pr_auc")
WIDTH = 200  # where the output is no terminal
LIMIT = 20  # sentences of a kind


def print_findings(findings: Findings, published: Sequence[Source], *, as_published: bool) -> None:
    """The table of results, then sentences on what is missing and what to be careful with."""
    console = _console()
    if findings.rows:
        table = summary_table(findings, published, as_published=as_published, metrics=SHOWN)
        console.print(_rich(table))
        for note in table.notes:
            console.print(Text(note, style="dim"))
    else:
        console.print("No run has finished yet.")
    if findings.compared:
        console.print(_rich(comparison_table(findings)))
    _print_sentences(console, "missing", findings.missing)
    _print_sentences(console, "not compared", findings.refused)
    _print_sentences(console, "warning", findings.warnings)
    _print_sentences(console, "left out", findings.problems)


def print_checked(checked: Checked, *, figures: int) -> None:
    """The problems of a paper, or how much was found in order."""
    for problem in checked.problems:
        print(problem)
    told = f"{checked.numbers} numbers and {checked.macros} macros in {len(checked.files)} files"
    print(f"{told}: {len(checked.problems) or 'none'} not in the ledger of {figures} figures")


def watch(rows: Sequence[Row], words: str) -> Iterable[Row]:
    """The rows, with a bar on standard error while there are several."""
    console = Console(stderr=True)
    shown = len(rows) > 1 and console.is_terminal
    return track(rows, description=words, console=console, transient=True) if shown else rows


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def _print_sentences(console: Console, kind: str, sentences: Sequence[str]) -> None:
    for sentence in sentences[:LIMIT]:
        console.print(Text(f"{kind}: {sentence}"), soft_wrap=True)
    if len(sentences) > LIMIT:
        console.print(f"{kind}: {len(sentences) - LIMIT} more")


def _rich(table: Table) -> RichTable:
    """The table for the terminal; nothing in it is read as markup."""
    shown = RichTable(title=Text(table.title), box=box.SIMPLE_HEAD, title_justify="left")
    for place, name in enumerate(table.columns):
        left = place < table.left
        shown.add_column(Text(name), justify="left" if left else "right", overflow="fold", no_wrap=not left)
    for part in table.parts:
        if part.title is not None:
            shown.add_row(Text(part.title, style="italic"))
        for row in part.rows:
            shown.add_row(*map(_rich_cell, row))
    return shown


def _rich_cell(cell: Cell) -> Text:
    raised = f" {','.join(cell.raised)}" if cell.raised else ""
    return Text.assemble((cell.text, "bold" if cell.bold else ""), raised)
