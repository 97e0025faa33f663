"""The selection at the terminal: prototypes with their thresholds, purity, and whom they admit."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mk11.terminal import plain

FEW = 5  # labelled crops up to which a prototype says little


def print_purity(console: Console, report: Mapping[str, Any]) -> None:
    """Tables and cautions of `mk11.selection.purity.purity_report`."""
    console.print(_prototypes(report["prototypes"]), crop=False)
    if report["kinds"]:
        console.print(_kinds(report["kinds"]), crop=False)
    for line in notes(report):
        console.print(Text(plain(line)), soft_wrap=not console.is_terminal)


def _prototypes(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("prototype", "majority subtype")
    for name in ("purity", "size", "threshold", "candidates", "within", "admitted", "share"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row["prototype"]),
            Text(plain(row["subtype"]) or "none"),
            _percent(row["purity"]),
            str(row["size"]),
            f"{row['threshold']:.4g}",
            *(str(row[name]) for name in ("candidates", "within", "admitted")),
            _share(row),
        )
    return table


def _kinds(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("true kind")
    for name in ("candidates", "admitted", "share"):
        table.add_column(name, justify="right")
    for row in rows:
        counts = (str(row[name]) for name in ("candidates", "admitted"))
        table.add_row(Text(plain(row["kind"]) or "unknown"), *counts, _share(row))
    return table


def _table(*names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def notes(report: Mapping[str, Any]) -> Iterator[str]:
    """What was admitted, how clusters and labels agree, and what to be careful with."""
    yield f"admitted: {report['admitted']} of {report['candidates']} candidates" + "".join(
        f"; {count} {reason}" for reason, count in report["reasons"].items()
    )
    found = report["agreement"]
    yield (
        f"prototypes and labels: purity {100 * found['purity']:.1f} %, adjusted Rand index"
        f" {found['adjusted_rand']:.2f} (1 = the classes, 0 = chance),"
        f" homogeneity {found['homogeneity']:.2f}, completeness {found['completeness']:.2f}"
    )
    for row in report["prototypes"]:
        if row["threshold"] == 0:
            yield (
                f"careful: prototype {row['prototype']} has the threshold 0 ({row['size']} labelled,"
                f" all at distance {row['most']:.4g} or less): it admits nothing that is not equal to it"
            )
        elif row["size"] <= FEW:
            yield f"careful: prototype {row['prototype']} is of {row['size']} labelled crops only"


def _share(row: Mapping[str, Any]) -> str:
    return _percent(row["admitted"] / row["candidates"] if row["candidates"] else None)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
