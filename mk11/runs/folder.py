"""The run folder: where everything about one run lies, and who may write it."""

import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mk11.errors import UserError
from mk11.files import read_json, remove_leftovers, write_json

HEARTBEAT_SECONDS = 10.0


class RunFolder:
    """`runs/<stage>/<experiment>/<model>/fold<k>-seed<s>-<identity>/` and the files in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.record = path / "run.json"
        self.history = path / "metrics.csv"
        self.metrics = path / "metrics.json"
        self.predictions = path / "predictions.parquet"
        self.checkpoints = path / "checkpoints"
        self.last = self.checkpoints / "last.ckpt"
        self.best = self.checkpoints / "best.ckpt"
        self.good = self.checkpoints / "good.ckpt"  # of a pre-training: the last that looked healthy
        self.encoder = path / "encoder.safetensors"
        self.hardest = path / "hardest.parquet"
        self.progress = path / "progress.json"
        self.figures = path / "figures"
        self.error = path / "error.txt"
        self.heartbeat = path / "heartbeat"

    def status(self) -> str | None:
        """The status in `run.json`: running, finished, failed or interrupted; None before the first start."""
        return self.read().get("status")

    def read(self) -> dict[str, Any]:
        """Content of `run.json`, empty before the first start."""
        try:
            return read_json(self.record)
        except FileNotFoundError:
            return {}

    def update(self, fields: Mapping[str, Any]) -> None:
        """Set fields of `run.json`, keeping the others."""
        write_json(self.record, {**self.read(), **fields})

    def mark_dead(self, status: str, error: str) -> None:
        """Give a run that says `running`, though no process holds it any more, the status it ended with."""
        try:
            with FileLock(self.path / ".lock", timeout=0):
                if self.status() == "running":
                    self.update({"status": status})
                    self.error.write_text(f"{error}\n")
        except Timeout:  # another process is at it, and speaks for itself
            return

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process, with a heartbeat; UserError if another process holds it.

        What a killed process has left half-written goes.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise UserError(
                f"{self.path} is being written by another process; wait for it or stop it"
            ) from error
        try:
            remove_leftovers(self.path)
            with self._beating():
                yield
        finally:
            lock.release()

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """Touch `heartbeat` every few seconds: a file that has gone stale tells of a killed or hung run."""
        stop = threading.Event()

        def beat() -> None:
            self.heartbeat.touch()
            while not stop.wait(HEARTBEAT_SECONDS):
                self.heartbeat.touch()

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def set_aside(self) -> None:
        """Move an earlier result into `previous/<time>/`, so that a rerun starts clean and loses nothing."""
        staying = {".lock", "heartbeat", "previous"}
        contents = [entry for entry in self.path.iterdir() if entry.name not in staying]
        if contents:
            aside = self.path / "previous" / datetime.now().strftime("%Y%m%d-%H%M%S-%f")
            aside.mkdir(parents=True)
            for entry in contents:
                shutil.move(entry, aside / entry.name)
