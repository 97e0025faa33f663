"""What a script's task does under multirun, and for `fold=all`."""

import math
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig

from mk11.cli.base import BaseJob
from mk11.cli.job import Job
from mk11.cli.matrix.cells import Cell, cells_of
from mk11.cli.matrix.records import DONE, CellRecord, MatrixFolder
from mk11.cli.matrix.table import print_cells
from mk11.cli.sentence import sentence
from mk11.cli.summary import print_over_folds
from mk11.errors import UserError
from mk11.files import write_json
from mk11.runs.configurations import Configuration, group_runs
from mk11.runs.ledger import read_run
from mk11.training.loggers import log_cross_validation


def in_multirun() -> bool:
    """Whether Hydra runs this task as one of many."""
    return HydraConfig.get().mode == RunMode.MULTIRUN


def run_cell(cfg: DictConfig, *, script: Path, kind: type[BaseJob]) -> float:
    """Run one cell of a multirun; returns its validation value, NaN without a result.

    A cell that fails does not raise: the launcher goes on with the others, and the table at the end tells.
    """
    hydra = HydraConfig.get()
    matrix = MatrixFolder(Path(hydra.sweep.dir).absolute())
    if matrix.begun_elsewhere():  # a launcher's worker: the process that hands out cells hears Ctrl-C
        signal.signal(signal.SIGINT, lambda *_: None)  # SIG_IGN would be handed on to the run
    record = CellRecord(int(hydra.job.num), list(hydra.overrides.task))
    try:
        cells = cells_of(cfg, script=script, matrix=matrix, num=record.num, jobs=cfg.jobs, kind=kind)
    except (UserError, InstantiationException) as error:  # the folds of `fold=all` cannot be told
        record.status, record.error = "failed", sentence(error)
        matrix.write(record)
        print(f"[{' '.join(record.overrides)}] error: {record.error}", file=sys.stderr)
        return math.nan
    except Exception as error:  # the other cells go on
        record.status, record.error = "failed", f"{type(error).__name__}: {error}"
        matrix.write(record)
        traceback.print_exc()
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
    cells = cells_of(cfg, script=script, matrix=matrix, num=0, jobs=cfg.jobs, kind=Job)
    for num, cell in enumerate(cells):
        cell.record.num = num
    matrix.plan([cell.record.overrides for cell in cells], script=str(script))
    matrix.stop_on_signals()
    with ThreadPoolExecutor(cfg.jobs) as pool:
        records = list(pool.map(Cell.run, cells))
    complete = print_cells(matrix)
    value = _concluded(cfg, cells, records)
    if not complete:
        raise SystemExit(130 if matrix.stop.exists() else 1)
    return value


def _concluded(cfg: DictConfig, cells: Sequence[Cell], records: Sequence[CellRecord]) -> float:
    """The mean value, NaN if a cell has none; with `fold=all` also in `<runs>/cv/` and in the loggers."""
    values = [record.value if record.status in DONE else None for record in records]
    found = [value for value in values if value is not None]
    if cfg.fold == "all":
        _conclude_folds(cells, values)
    return float(np.mean(found)) if len(found) == len(values) else math.nan


def _conclude_folds(cells: Sequence[Cell], values: Sequence[float | None]) -> None:
    """Tell what a cross-validation is worth: the mean is what a search over configurations looks at."""
    first = cells[0].job
    folds = dict(zip((int(cell.job.cfg.fold) for cell in cells), values, strict=True))
    folders = [cell.job.folder.path for cell in cells if folds[cell.job.cfg.fold] is not None]
    found = group_runs(map(read_run, folders))
    name = f"{found[0].key}-seed{first.cfg.seed}" if found else f"failed-{cells[0].matrix.path.name}"
    place = Path(first.cfg.runs).absolute() / "cv" / name
    monitor = str(first.cfg.monitor)
    log_cross_validation(
        logger=first.config["logger"], folders=folders, values=folds, monitor=monitor, place=place
    )
    if len(folders) == len(cells):
        print_over_folds([read_run(folder) for folder in folders])
        path = place.with_suffix(".json")
        write_json(path, _mean(folds, found[0], folders, monitor=monitor))
        print(f"cross-validation: {path}", flush=True)


def _mean(
    folds: Mapping[int, float | None], configuration: Configuration, folders: Sequence[Path], *, monitor: str
) -> dict[str, object]:
    told = [value for value in folds.values() if value is not None]
    return {
        "configuration": configuration.label,
        "monitor": monitor,
        "mean": float(np.mean(told)),
        "sd": float(np.std(told, ddof=1)) if len(told) > 1 else None,
        "values": {str(fold): value for fold, value in folds.items()},
        "overrides": list(HydraConfig.get().overrides.task),
        "runs": [str(folder) for folder in folders],
    }
