"""A table before it is Markdown or LaTeX: plain text in cells, and what is bold or raised."""

from collections.abc import Sequence
from dataclasses import dataclass, field

NONE = "–"  # noqa: RUF001  where there is no figure


@dataclass(frozen=True)
class Cell:
    """Plain text; nothing in it is markup."""

    text: str
    bold: bool = False
    raised: tuple[str, ...] = ()  # signs behind it: `*`, letters of notes
    key: str = ""  # of what the ledger of numbers has of its row


@dataclass(frozen=True)
class Part:
    """Rows under a heading of their own; without one if it is None."""

    title: str | None
    rows: list[list[Cell]]


@dataclass(frozen=True)
class Table:
    """One table with its notes."""

    name: str  # of its file and its LaTeX label
    title: str
    columns: tuple[str, ...]
    parts: list[Part]
    notes: list[str] = field(default_factory=list)
    left: int = 1  # leading columns that hold words


@dataclass
class Notes:
    """Notes under a table, each with a letter that is raised behind what it is about."""

    letters: dict[str, str] = field(default_factory=dict)

    def letters_of(self, sentences: Sequence[str]) -> tuple[str, ...]:
        """The letters of some notes, new ones for new notes."""
        return tuple(self.letters.setdefault(one, letter(len(self.letters))) for one in sentences)

    def told(self) -> list[str]:
        """The notes, each behind its letter."""
        return [f"{letter}: {sentence}" for sentence, letter in self.letters.items()]


def letter(number: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    rest, last = divmod(number, 26)
    return (letter(rest - 1) if rest else "") + "abcdefghijklmnopqrstuvwxyz"[last]
