import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from mk11.search.process import run_command

# Says where its child is; on Ctrl-C says goodbye. The child would outlive it by far.
PARENT = """
import signal, subprocess, sys, time
child = subprocess.Popen(["sleep", "60"])
print(child.pid, flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    print("goodbye", flush=True)
"""


def test_the_last_line_is_of_standard_output_and_the_log_has_all(tmp_path):
    script = "import sys; print('one'); print('/result'); print(); print('late', file=sys.stderr)"
    ended = run_command([sys.executable, "-c", script], log=tmp_path / "a" / "log", environment=os.environ)
    assert (ended.status, ended.last_line) == (0, "/result")
    assert sorted((tmp_path / "a" / "log").read_text().split()) == ["/result", "late", "one"]


def test_a_failure_keeps_its_status_and_last_words(tmp_path):
    command = [sys.executable, "-c", "import sys; sys.exit('too high')"]
    ended = run_command(command, log=tmp_path / "log", environment=os.environ)
    assert (ended.status, ended.last_words) == (1, "too high (status 1)")


def test_an_interrupt_ends_the_command_in_good_order_with_all_it_started(tmp_path):
    log = tmp_path / "log"

    def interrupt():
        end = time.time() + 30
        while time.time() < end and not (log.exists() and log.read_text().strip()):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_command([sys.executable, "-c", PARENT], log=log, environment=os.environ)
    thread.join()
    child = int(log.read_text().split()[0])
    for _ in range(100):
        stat = Path(f"/proc/{child}/stat")
        if not stat.exists() or stat.read_text().split()[2] == "Z":
            break
        time.sleep(0.02)
    else:
        pytest.fail("the command's child outlived it")
