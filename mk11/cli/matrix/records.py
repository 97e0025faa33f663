"""What a matrix leaves in `<runs>/sweeps/<time>/`: what was asked for, and what became of each cell.

`matrix.json` lists the cells, `cells/<number>.json` says how each went, `logs/<number>.log` what it said.
This module is imported by every start of a script, so it imports nothing heavy.
"""

import os
import shlex
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from mk11.errors import UserError
from mk11.files import read_json, write_json
from mk11.runs.environment import process_lives

DONE = ("finished", "skipped")  # skipped: it was finished already


@dataclass
class CellRecord:
    """One cell: its overrides, how it went, where its run is, what it is worth."""

    num: int
    overrides: list[str]
    fold: int | str | None = None
    status: str = "running"  # finished, skipped, failed, interrupted or timed_out
    folder: str | None = None
    seconds: float | None = None
    value: float | None = None  # best validation value of the monitored metric
    error: str | None = None


class MatrixFolder:
    """`<runs>/sweeps/<time>/`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.matrix = path / "matrix.json"
        self.stop = path / "stop"  # while it exists, cells that run are ended and none is begun

    def plan(self, cells: Sequence[Sequence[str]], *, script: str) -> None:
        """Write down what was asked for, and by whom.

        Raises:
            UserError: Another command is at work here.
        """
        if self.begun_elsewhere() and not self.orphaned():
            raise UserError(
                f"hydra.sweep.dir must be a command's own, but another one is at work in {self.path}"
            )
        for old in (self.stop, *(self.path / "cells").glob("*.json")):
            old.unlink(missing_ok=True)
        command = shlex.join(["python", Path(script).name, *sys.argv[1:]])
        write_json(
            self.matrix,
            {
                "command": command,
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "cells": [{"overrides": list(overrides)} for overrides in cells],
            },
        )

    def plan_of(self) -> dict[str, Any]:
        """Content of matrix.json; empty where there is none."""
        return read_json(self.matrix) if self.matrix.exists() else {}

    def stopping(self) -> bool:
        """Whether it is to end: somebody asked, or the process that began it on this machine is gone."""
        return self.stop.exists() or self.orphaned()

    def orphaned(self) -> bool:
        """Whether the process that began it was another one of this machine and is gone."""
        return self.begun_elsewhere() and not process_lives(self.plan_of()["pid"])

    def begun_elsewhere(self) -> bool:
        """Whether another process of this machine began it, which hands out its cells."""
        told = self.plan_of()
        return told.get("host") == socket.gethostname() and told["pid"] != os.getpid()

    def stop_on_signals(self) -> None:
        """From now on Ctrl-C and SIGTERM end the matrix in good order; the second one, at once."""

        def end(number: int, frame: object) -> None:
            if self.stop.exists():
                raise KeyboardInterrupt
            self.stop.touch()
            print("ending the cells that run (once more: at once)", file=sys.stderr, flush=True)

        for kind in (signal.SIGINT, signal.SIGTERM):
            signal.signal(kind, end)

    def write(self, record: CellRecord) -> None:
        """Write a cell's record, at once and whole."""
        write_json(self.path / "cells" / f"{self._stem(record)}.json", asdict(record))

    def log(self, record: CellRecord) -> Path:
        """Where a cell's output goes."""
        return self.path / "logs" / f"{self._stem(record)}.log"

    def records(self) -> list[CellRecord]:
        """The cells that were begun, in order."""
        read = [CellRecord(**read_json(path)) for path in (self.path / "cells").glob("*.json")]
        return sorted(read, key=lambda record: (record.num, str(record.fold)))

    @staticmethod
    def _stem(record: CellRecord) -> str:
        return str(record.num) if record.fold is None else f"{record.num}-fold{record.fold}"


class PlanMatrix(Callback):
    """Hydra's callback that writes `matrix.json` before the first cell; `current` is its folder."""

    current: MatrixFolder | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401
        """List the cells as Hydra's sweeper will."""
        folder = MatrixFolder(Path(config.hydra.sweep.dir).absolute())
        try:
            folder.plan(planned(config), script=sys.argv[0])
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            raise SystemExit(2) from error  # Hydra turns any other exception of a callback into a warning
        folder.stop_on_signals()
        PlanMatrix.current = folder


def planned(config: DictConfig) -> list[list[str]]:
    """Overrides of each cell of a grid, by the parser and the splitter of Hydra's own sweeper."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parameters = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*parameters, *config.hydra.overrides.task])
    return BasicSweeper.split_arguments(overrides, max_batch_size=None)[0]
