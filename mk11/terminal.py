"""What commands that print tables share: a console that suits terminals and pipes, and harmless text."""

import os
import sys

from rich.console import Console

PIPE_WIDTH = 200  # a pipe has no width: lines stay whole there


def console_of() -> Console:
    """A console on standard output that colours no words by itself.

    Letters that its encoding lacks become question marks.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(width=PIPE_WIDTH if piped else None, highlight=False)


def plain(text: str) -> str:
    """Text from a file without characters that would steer the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
