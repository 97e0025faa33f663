"""One cell of the matrix: what its run folder says about it."""

import csv
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mk11.errors import UserError
from mk11.files import read_json
from mk11.runs.folder import RunFolder
from mk11.runs.ledger import Run

STATES = ("failed", "stopped", "running", "waiting", "missing", "done")  # what is told first comes first
SILENT = 600.0  # s without progress after which a running cell is said to hang


@dataclass(frozen=True)
class Cell:
    """A fold and a seed of one configuration. `told` says more about its state than the word."""

    fold: int | str
    seed: int
    state: str
    told: str = ""
    brief: str = ""  # the same for a table
    folder: Path | None = None


def cell_of(run: Run) -> Cell:
    """The state of a run."""
    if run.metrics is not None:
        state, told, brief = "done", "", ""
    elif run.status == "running":
        state, told, brief = _running(run)
    elif run.status == "failed":
        state, told, brief = "failed", last_line(run.folder.error), ""
    elif run.status == "finished":
        state, told, brief = "failed", f"it says finished, but {run.folder.metrics.name} is missing", ""
    else:
        state, told, brief = "stopped", _stopped(run), ""
    return Cell(run.fold, run.seed, state, told, brief, run.folder.path)


def best_known(cells: list[Cell]) -> Cell:
    """Of several runs of one cell: one that is done, one that is running, else the last."""
    for state in ("done", "running"):
        found = [cell for cell in cells if cell.state == state]
        if found:
            return found[-1]
    return cells[-1]


def last_line(path: Path) -> str:
    """The last line of an error.txt with anything on it: the error itself under its traceback."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return f"{path.name} is missing"
    return next((line.strip() for line in reversed(lines) if line.strip()), f"{path.name} is empty")


def minutes_left(progress: dict[str, Any]) -> float | None:
    """From the pace of the last epoch; None before one is over."""
    pace, epoch, epochs, step, steps = (
        _number(progress.get(key)) for key in ("seconds_per_epoch", "epoch", "epochs", "step", "steps")
    )
    if pace is None or epoch is None or epochs is None:
        return None
    share = step / steps if step is not None and steps else 0.0
    return max(0.0, pace * (epochs - epoch + 1 - share) / 60)


def epochs_done(folder: RunFolder) -> int:
    """Complete epochs in metrics.csv: a run that is continued goes on behind them."""
    try:
        with folder.history.open(newline="") as file:
            return max((int(float(row["epoch"])) for row in csv.DictReader(file)), default=0)
    except (OSError, KeyError, TypeError, ValueError):
        return 0


def _running(run: Run) -> tuple[str, str, str]:
    progress = _progress(run.folder)
    if not progress and (done := epochs_done(run.folder)):
        total = run.config.get("epochs", done)
        progress = {"epoch": min(done + 1, total), "epochs": total}
    epoch, epochs = _number(progress.get("epoch")), _number(progress.get("epochs"))
    if epoch is None or epochs is None:
        return "running", "starting", "starting"
    brief = f"epoch {epoch:.0f}/{epochs:.0f}"
    if progress.get("phase") == "evaluating":
        told = "evaluating"
    else:
        told = f"epoch {epoch:.0f} of {epochs:.0f}, {_duration(minutes_left(progress))}"
    updated = _number(progress.get("updated"))
    silent = time.time() - updated if updated else 0.0
    if silent > SILENT:
        told += f"; no progress for {silent / 60:.0f} min: it may hang"
    return "running", told, brief


def _stopped(run: Run) -> str:
    how = {"died": "killed", "interrupted": "interrupted"}.get(run.status, f"status {run.status}")
    done = epochs_done(run.folder)
    if not done:
        return f"{how} in its first epoch, begins again"
    total = run.config.get("epochs")
    return f"{how} after epoch {done} of {total}, goes on from there"


def _progress(folder: RunFolder) -> dict[str, Any]:
    try:
        content = read_json(folder.progress)
    except (OSError, UserError):
        return {}
    return content if isinstance(content, dict) else {}


def _number(value: object) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else None  # type: ignore[arg-type]


def _duration(minutes: float | None) -> str:
    if minutes is None:
        return "time left not known yet"
    if minutes >= 120:
        return f"{minutes / 60:.1f} h left"
    return f"{minutes:.0f} min left" if minutes >= 1 else "less than 1 min left"
