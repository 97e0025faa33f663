"""Progress on a terminal and in a pipe."""

import io
import sys

from mk11 import terminal
from mk11.terminal import with_progress


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def test_a_pipe_gets_a_line_a_minute(monkeypatch, capsys):
    times = iter((0, 20, 60, 60, 100, 121, 121))
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(times))
    items = with_progress(range(1000, 1004), total=5000, title="regions", unit="field")
    assert list(items) == [1000, 1001, 1002, 1003]
    assert capsys.readouterr() == ("", "regions: 2 of 5,000 fields\nregions: 4 of 5,000 fields\n")


def test_a_terminal_gets_a_bar_that_is_cleared(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    assert list(with_progress(range(3), total=3, title="regions", unit="field")) == [0, 1, 2]
    assert "regions" in screen.getvalue()
    assert not screen.getvalue().splitlines()[-1].strip()


def test_items_are_handed_on_one_by_one():
    taken = []
    items = with_progress((taken.append(one) or one for one in range(5)), total=5, title="crops", unit="crop")
    assert next(items) == 0
    assert taken == [0]
