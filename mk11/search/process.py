"""Run a trial's command as a process of its own."""

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

GRACE = 60.0  # s that an interrupted command has to end in good order
LIFELINE = "MK11_LIFELINE"  # train.py ends itself when the pipe at its standard input closes: when we die


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status, and the last lines of its standard output and standard error."""

    status: int
    last_line: str
    last_error: str

    @property
    def last_words(self) -> str:
        """What it said of its failure."""
        return f"{self.last_error or self.last_line or 'it said nothing'} (status {self.status})"


def run_command(command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> Ended:
    """Run to the end; everything it says goes into `log`.

    It leads a session of its own, so that Ctrl-C reaches it through here alone, and once.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [*command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**environment, LIFELINE: "1", "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    with process, log.open("a") as file, ThreadPoolExecutor(2) as pool:
        said = [pool.submit(_copy, pipe or (), file) for pipe in (process.stdout, process.stderr)]
        try:
            status = process.wait()
        except BaseException:
            _ask_to_end(process)
            raise
        finally:
            _kill_group(process)
        return Ended(status, *(line.result() for line in said))


def _copy(pipe: Iterable[str], file: TextIOWrapper) -> str:
    """Copy a stream line by line; returns the last line that is not empty."""
    last = ""
    for line in pipe:
        file.write(line)
        file.flush()
        last = line.strip() or last
    return last


def _ask_to_end(process: subprocess.Popen[str]) -> None:
    """Interrupt it, as Ctrl-C would, and give it time."""
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
        process.wait(timeout=GRACE)


def _kill_group(process: subprocess.Popen[str]) -> None:
    """End whatever is left of what it has started: it holds our pipes."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
