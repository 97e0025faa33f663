"""What the report's figures share: names of configurations, their colours and markers, and short texts."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any

from mk11.evaluation.figures.canvas import BLUE, GREEN, INK, ORANGE, PURPLE, SKY, VERMILION, plain
from mk11.evaluation.statistics.summary import FoldSummary
from mk11.report.tables.words import TITLES
from mk11.runs.configurations import Configuration

# Told apart by colour, by lightness and by shape: in print without colour the shapes remain.
LOOKS: list[dict[str, Any]] = [
    {"color": BLUE, "marker": "o"},
    {"color": ORANGE, "marker": "s"},
    {"color": GREEN, "marker": "^"},
    {"color": VERMILION, "marker": "D"},
    {"color": INK, "marker": "v"},
    {"color": SKY, "marker": "P"},
    {"color": PURPLE, "marker": "X"},
]
SHORTEST_NAME = 9  # characters, of a configuration, without its keys
NOTE: dict[str, Any] = {"x": 0.01, "ha": "left", "size": 7.5}


def file_stem(text: str) -> str:
    """`text` as part of a file's name, on any system."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)


def short_names(configurations: Sequence[Configuration], *, limit: int) -> dict[str, str]:
    """Key of each configuration to its label on one line of at most `limit` characters.

    Labels that cutting has made equal are told apart by their keys.
    """
    names = {found.key: shortened(found.label, limit=limit) for found in configurations}
    taken = list(names.values())
    return {
        found.key: names[found.key]
        if taken.count(names[found.key]) == 1
        else f"{shortened(found.label, limit=limit - len(found.key) - 3)} ({found.key})"
        for found in configurations
    }


def shortened(label: str, *, limit: int) -> str:
    """`name [key=value, ...]` with the name cut before what tells it from the others."""
    name, bracket, apart = plain(label, limit=len(label) + 1).partition(" [")
    room = max(limit - len(bracket + apart), SHORTEST_NAME)
    return plain(plain(name, limit=room) + bracket + apart, limit=limit)


def wrapped(name: str, *, width: int) -> str:
    """`name` in lines of at most `width` characters; breaks may follow a slash, a comma or an underscore."""
    mark = "\N{ZERO WIDTH SPACE}"
    parts = textwrap.wrap(re.sub(r"([/,_])(?=\S)", rf"\1{mark} ", name.replace(mark, "")), width)
    return "\n".join(part.replace(f"{mark} ", "").replace(mark, "") for part in parts)


def told(summary: FoldSummary | None) -> str:
    """`0.812 ± 0.034`: mean and sample standard deviation over folds."""
    if summary is None or summary.mean is None:
        return "undefined"
    return f"{summary.mean:.3f}" if summary.sd is None else f"{summary.mean:.3f} ± {summary.sd:.3f}"


def titled(metric: str) -> str:
    """A metric as the tables call it."""
    return TITLES.get(metric, metric)


def of_folds(count: int) -> str:
    """`5 folds`."""
    return "1 fold" if count == 1 else f"{count} folds"


def range_of_folds(count: int) -> str:
    """What a band with a line in it shows."""
    return "1 fold" if count == 1 else f"mean, lowest and highest of {count} folds"
