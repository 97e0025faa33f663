"""Processes that end, fail, hang, ignore and multiply, each of a few lines."""

import os
import signal
import subprocess
import sys
import time

import pytest

from mk11.cli.matrix import supervise as module
from mk11.cli.matrix.supervise import SilentError, Watch, supervise


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(module, "GRACE", {signal.SIGINT: 2.0, signal.SIGTERM: 2.0})


def watch(tmp_path, code, **more):
    said = []
    options = {"silence": None, "environment": dict(os.environ), **more}
    return Watch(
        command=[sys.executable, "-c", code], log=tmp_path / "logs" / "0.log", say=said.append, **options
    ), said


def alive(pid):
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone_within(seconds, pid):
    end = time.time() + seconds
    while alive(pid) and time.time() < end:
        time.sleep(0.05)
    return not alive(pid)


def test_output_goes_line_by_line_to_the_log_and_to_whoever_listens(tmp_path):
    one, said = watch(tmp_path, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert supervise(one) == 3
    assert sorted(said) == ["err", "out"]
    assert sorted(one.log.read_text().split()) == ["err", "out"]


def test_a_status_below_zero_is_the_signal_that_ended_it(tmp_path):
    one, _ = watch(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert supervise(one) == -9


def test_a_silent_process_is_ended_with_its_children(tmp_path):
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    one, said = watch(tmp_path, code, silence=1.0)
    with pytest.raises(SilentError):
        supervise(one)
    assert gone_within(5, int(said[0]))


def test_one_that_ignores_every_request_is_killed(tmp_path):
    code = (
        "import signal, time\n"
        "for kind in (signal.SIGINT, signal.SIGTERM): signal.signal(kind, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\n"
        "time.sleep(60)"
    )
    one, _ = watch(tmp_path, code, silence=1.0)
    begun = time.time()
    with pytest.raises(SilentError):
        supervise(one)
    assert time.time() - begun < 20


def test_progress_in_a_file_counts_as_a_sign_of_life(tmp_path):
    sign = tmp_path / "progress.json"
    code = (
        "import pathlib, time\n"
        "for _ in range(12):\n"
        f"    pathlib.Path({str(sign)!r}).touch(); time.sleep(0.25)"
    )
    one, _ = watch(tmp_path, code, silence=1.5, signs=(sign,))
    assert supervise(one) == 0


def test_stopping_asks_first_so_that_a_run_can_say_what_it_wants(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "GRACE", {signal.SIGINT: 60.0})
    code = (
        "import time\n"
        "try:\n"
        "    print('ready', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    print('saved', flush=True)"
    )
    said = []
    one, said = watch(tmp_path, code)
    one.stopped = lambda: "ready" in said
    with pytest.raises(KeyboardInterrupt):
        supervise(one)
    assert said == ["ready", "saved"]


def test_a_closed_terminal_neither_stalls_the_run_nor_cuts_its_log(tmp_path):
    one, _ = watch(tmp_path, "for line in range(3000): print(line, 'x' * 100)", silence=30.0)

    def closed(line):
        raise BrokenPipeError

    one.say = closed
    assert supervise(one) == 0
    assert one.log.read_text().count("\n") == 3000


SUPERVISOR = """
import os, sys
from pathlib import Path
from mk11.cli.matrix.supervise import Watch, supervise
child = "from mk11.cli.matrix.supervise import hold_lifeline; import os, time; hold_lifeline(); "
child += "print(os.getpid(), flush=True); time.sleep(60)"
supervise(Watch(command=[sys.executable, "-c", child], environment=dict(os.environ), log=Path(sys.argv[1]),
                say=lambda line: print(line, flush=True), silence=None))
"""


def test_a_run_ends_itself_when_its_supervisor_is_killed(tmp_path):
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    with supervisor:
        pid = int(supervisor.stdout.readline())
        assert alive(pid)
        supervisor.kill()
    assert gone_within(60, pid)
