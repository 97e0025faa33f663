"""Tables as plain values, for the macro `table` of `macros.html`."""

from collections.abc import Sequence
from dataclasses import dataclass

FEW = 8  # rows that are read at a glance


@dataclass(frozen=True)
class Column:
    """A column: `hint` is shown on its title, numbers sort as numbers, the largest first."""

    title: str
    hint: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class Cell:
    """A field of a table. In a numeric column it sorts by `order`, None after all others; `link` is an id."""

    text: str
    order: float | None = None
    best: bool = False
    link: str | None = None
    note: str = ""
    kind: str = ""  # good, bad or quiet


@dataclass(frozen=True)
class Table:
    """A table that sorts and filters; the first column names the row.

    `rows_shown` at a time, all if None; in print all. `filters` even if it is short. `wide` keeps every
    field on one line.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    rows_shown: int | None = 20
    filters: bool = False
    wide: bool = True

    def __post_init__(self) -> None:
        lengths = {len(row) for row in self.rows} - {len(self.columns)}
        assert not lengths, f"{self.name} has {len(self.columns)} columns, but rows of {lengths}"

    @property
    def filtered(self) -> bool:
        """Whether it has a filter, asked for or because it is long."""
        return self.filters or len(self.rows) > FEW
