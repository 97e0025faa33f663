"""What a script's task does under multirun, and for `fold=all`."""

import math
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig

from mk11.cli.matrix.cells import Cell, cells_of
from mk11.cli.matrix.records import DONE, CellRecord, MatrixFolder
from mk11.cli.matrix.table import print_cells
from mk11.cli.sentence import sentence
from mk11.errors import UserError
from mk11.files import write_json
from mk11.runs.configurations import group_runs
from mk11.runs.ledger import read_run


def in_multirun() -> bool:
    """Whether Hydra runs this task as one of many."""
    return HydraConfig.get().mode == RunMode.MULTIRUN


def run_cell(cfg: DictConfig, *, script: Path) -> float:
    """Run one cell of a multirun; returns its validation value, NaN without a result.

    A cell that fails does not raise: the launcher goes on with the others, and the table at the end tells.
    """
    hydra = HydraConfig.get()
    matrix = MatrixFolder(Path(hydra.sweep.dir).absolute())
    if matrix.begun_elsewhere():  # a launcher's worker: the process that hands out cells hears Ctrl-C
        signal.signal(signal.SIGINT, lambda *_: None)  # SIG_IGN would be handed on to the run
    record = CellRecord(int(hydra.job.num), list(hydra.overrides.task))
    try:
        cells = cells_of(cfg, script=script, matrix=matrix, num=record.num, jobs=cfg.jobs)
    except (UserError, InstantiationException) as error:  # the folds of `fold=all` cannot be told
        record.status, record.error = "failed", sentence(error)
        matrix.write(record)
        print(f"[{' '.join(record.overrides)}] error: {record.error}", file=sys.stderr)
        return math.nan
    value = _concluded(cfg, cells, [cell.run() for cell in cells])
    if matrix.orphaned():
        os._exit(130)  # a launcher's worker that nobody will ever speak to again
    return value


def cross_validate(cfg: DictConfig, *, script: Path) -> float:
    """`fold=all`: every fold of one configuration, `jobs` at a time; returns the mean validation value.

    Raises:
        SystemExit: Status 1 if a fold has no result, 130 after Ctrl-C.
    """
    hydra = HydraConfig.get()
    matrix = MatrixFolder(Path(hydra.sweep.dir).absolute())
    cells = cells_of(cfg, script=script, matrix=matrix, num=0, jobs=cfg.jobs)
    for num, cell in enumerate(cells):
        cell.record.num = num
    matrix.plan([cell.record.overrides for cell in cells], script=str(script))
    matrix.stop_on_signals()
    with ThreadPoolExecutor(cfg.jobs) as pool:
        records = list(pool.map(Cell.run, cells))
    if not print_cells(matrix):
        raise SystemExit(130 if matrix.stop.exists() else 1)
    return _concluded(cfg, cells, records)


def _concluded(cfg: DictConfig, cells: Sequence[Cell], records: Sequence[CellRecord]) -> float:
    """The mean value; with `fold=all` also in `<runs>/cv/`, and in the loggers that keep one run a trial."""
    values = {record.fold: record.value for record in records if record.status in DONE}
    if len(values) < len(records):
        return math.nan
    found = [value for value in values.values() if value is not None]
    if cfg.fold == "all":
        path = _write_mean(cfg, cells, dict(zip(values, found, strict=True)))
        print(f"cross-validation: {path}", flush=True)
    return float(np.mean(found))


def _write_mean(cfg: DictConfig, cells: Sequence[Cell], values: dict[int | str | None, float]) -> Path:
    """`<runs>/cv/<configuration>.json`: what a search over whole cross-validations reads."""
    configuration = group_runs(read_run(cell.job.folder.path) for cell in cells)[0]
    path = Path(cfg.runs).absolute() / "cv" / f"{configuration.key}.json"
    found = list(values.values())
    content = {
        "configuration": configuration.label,
        "monitor": cfg.monitor,
        "mean": float(np.mean(found)),
        "sd": float(np.std(found, ddof=1)) if len(found) > 1 else None,
        "values": {str(fold): value for fold, value in values.items()},
        "overrides": list(HydraConfig.get().overrides.task),
        "runs": [str(cell.job.folder.path) for cell in cells],
    }
    write_json(path, content)
    return path
