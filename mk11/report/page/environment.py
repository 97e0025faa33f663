"""Hardware and versions that runs were made with."""

import json
from collections.abc import Sequence

from mk11.page import Cell, Column, Table
from mk11.report.tables.words import NONE
from mk11.runs.ledger import Run

Environment = dict[str, str]


def environment(run: Run) -> Environment:
    """Device, precision and versions of a run, as it recorded them."""
    told = {"device": run.record.get("device"), "precision": run.record.get("precision")}
    return {key: str(value or NONE) for key, value in {**told, **(run.record.get("versions") or {})}.items()}


def environments(runs: Sequence[Run]) -> list[Environment]:
    """The different ones."""
    return list({json.dumps(environment(run)): environment(run) for run in runs}.values())


def environment_table(runs: Sequence[Run]) -> Table:
    """One row for each, with the number of its runs."""
    known, found = environments(runs), [environment(run) for run in runs]
    keys = list(dict.fromkeys(key for one in known for key in one))
    columns = [Column("Environment"), Column("Runs", numeric=True), *map(Column, keys)]
    body = [_row(number, one, found.count(one), keys) for number, one in enumerate(known, start=1)]
    return Table("environments", "Device, precision and versions as the runs recorded them.", columns, body)


def _row(number: int, one: Environment, count: int, keys: Sequence[str]) -> list[Cell]:
    return [Cell(str(number)), Cell(str(count), order=count), *(Cell(one.get(key, NONE)) for key in keys)]
