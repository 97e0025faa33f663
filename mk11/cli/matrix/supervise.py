"""One process watched over: its output kept, its silence noticed, itself and all it started ended."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

LIFELINE = "MK11_LIFELINE"  # set for a process that ends itself when its supervisor is gone
POLL = 0.2  # s
GRACE = {signal.SIGINT: 30.0, signal.SIGTERM: 10.0}  # s to end in good order, first asked, then told


@dataclass
class Watch:
    """What a supervisor needs to know of one process."""

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path  # everything the process says
    say: Callable[[str], None]  # called with each line of it
    silence: float | None  # s without output or progress until the process is ended; None = for ever
    signs: Sequence[Path] = ()  # files whose change is progress
    stopped: Callable[[], bool] = lambda: False  # whether to end it
    heard: float = field(default_factory=time.time)  # when the last line came

    def quiet_for(self) -> float:
        """Seconds since the last line or the last change of a sign."""
        return time.time() - max([self.heard, *(_changed(path) for path in self.signs)])


class SilentError(Exception):
    """The process was ended because nothing was heard of it for longer than allowed."""


def supervise(watch: Watch) -> int:
    """Run the process to its end; returns its exit status (negative: the signal that ended it).

    It leads a process group of its own, so that Ctrl-C reaches it through here alone, and everything that it
    has started can be ended with it. Its standard input is a pipe that nothing is written to: when this
    process dies, however suddenly, the pipe closes and the other ends itself (`hold_lifeline`).

    Raises:
        SilentError: Nothing was heard of it for `silence` seconds; it and its children have been ended.
        KeyboardInterrupt: It was `stopped`; likewise.
    """
    watch.log.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [*watch.command],
        env={**watch.environment, LIFELINE: "1", "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
    )
    listener = threading.Thread(target=_listen, args=(process, watch), daemon=True)
    listener.start()
    try:
        _await(process, watch)
    except BaseException:
        end_group(process)
        raise
    finally:
        _sweep_up(process)
        listener.join(timeout=5)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
    return process.returncode


def _await(process: subprocess.Popen[bytes], watch: Watch) -> None:
    while process.poll() is None:
        if watch.silence is not None and watch.quiet_for() > watch.silence:
            raise SilentError
        if watch.stopped():
            raise KeyboardInterrupt
        time.sleep(POLL)


def _listen(process: subprocess.Popen[bytes], watch: Watch) -> None:
    """Keep what is said; neither a full disk nor a closed terminal stops the reading: the run would stall."""
    assert process.stdout is not None
    with watch.log.open("ab", buffering=0) as log, suppress(ValueError):  # closed while something held it
        for line in process.stdout:
            watch.heard = time.time()
            with suppress(OSError):
                log.write(line)
            with suppress(Exception):
                watch.say(line.decode(errors="replace").rstrip())


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Ask a process and its children to end, then tell them; a further Ctrl-C kills at once."""
    try:
        for kind, seconds in GRACE.items():
            signal_group(process.pid, kind)
            try:
                process.wait(timeout=seconds)
                return
            except subprocess.TimeoutExpired:
                continue
    except KeyboardInterrupt:
        return
    finally:
        _sweep_up(process)


def _sweep_up(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the group: loader workers and helpers of a process that has ended or must."""
    signal_group(process.pid, signal.SIGKILL)
    process.wait()


def signal_group(leader: int, kind: signal.Signals) -> None:
    """Signal a process group, if any of it is left."""
    try:
        os.killpg(leader, kind)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group that has ended
        return


def is_supervised() -> bool:
    """Whether this process was started by `supervise`."""
    return os.environ.get(LIFELINE) == "1"


def hold_lifeline() -> None:
    """In a supervised process: end it in good order when its supervisor is gone, or asks for it.

    SIGINT is how it asks; a command begun in the background (`nohup ... &`) hands down that it be ignored.
    """
    if is_supervised():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=_until_cut, name="lifeline", daemon=True).start()


def _until_cut() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE[signal.SIGINT])
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
