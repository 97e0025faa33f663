"""What commands that print share: a console that suits terminals and pipes, progress, and harmless text."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from tqdm import tqdm

PIPE_WIDTH = 200  # a pipe has no width: lines stay whole there
EVERY = 60.0  # seconds between two lines of progress where no bar can be drawn

Item = TypeVar("Item")


def console_of() -> Console:
    """A console on standard output that colours no words by itself.

    Letters that its encoding lacks become question marks.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(width=PIPE_WIDTH if piped else None, highlight=False)


def with_progress(items: Iterable[Item], *, total: int, title: str, unit: str) -> Iterator[Item]:
    """`items`, with a bar on terminals and a line a minute elsewhere, where silence is taken for death."""
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=title, unit=unit, leave=False)
        return
    told = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - told >= EVERY:
            told = time.monotonic()
            print(f"{title}: {done:,} of {total:,} {unit}s", file=sys.stderr, flush=True)


def plain(text: str) -> str:
    """Text from a file without characters that would steer the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
