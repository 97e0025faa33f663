"""Only the configuration keys that are not the same everywhere."""

from collections.abc import Mapping, Sequence
from typing import Any

from mk11.page import Cell, Column, Table
from mk11.report.names import Names
from mk11.report.tables.words import NONE
from mk11.runs.configurations import Configuration, differing

SIDE_BY_SIDE = 6  # up to so many configurations stand beside one another, more below one another
LONGEST = 200  # characters of a value


def config_differences(configurations: Sequence[Configuration], names: Names) -> Table | None:
    """Keys against configurations; None where nothing differs."""
    keys = differing([configuration.settings for configuration in configurations])
    if len(configurations) < 2 or not keys:
        return None
    values = [[_told(c.settings, key, names) for key in keys] for c in configurations]
    labels = [configuration.label for configuration in configurations]
    if len(configurations) > SIDE_BY_SIDE:
        return _table("Configuration", keys, labels, values)
    return _table("Key", labels, keys, [list(column) for column in zip(*values, strict=True)])


def _table(corner: str, across: list[str], down: list[str], values: list[list[str]]) -> Table:
    columns = [Column(corner), *(Column(name) for name in across)]
    body = [[Cell(name), *map(Cell, texts)] for name, texts in zip(down, values, strict=True)]
    return Table(
        "differences", "Keys that can change a result and are not equal in all.", columns, body, wide=False
    )


def _told(settings: Mapping[str, Any], key: str, names: Names) -> str:
    value = settings.get(key, NONE)
    text = names.value(", ".join(map(str, value)) if isinstance(value, list) else str(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"
