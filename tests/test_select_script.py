"""The root `select.py` has the name of a standard-library module and must not stand in its way."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_plain_python_in_the_root_imports_the_real_select():
    done = run(
        "-c", "import subprocess, asyncio, selectors, socket; import select; select.select; select.epoll"
    )
    assert done.returncode == 0, done.stderr


def test_many_threads_importing_select_at_once_all_get_the_real_one():
    code = (
        "import threading\n"
        "def load():\n"
        "    import select\n"
        "    found.append(hasattr(select, 'select'))\n"
        "found = []\n"
        "threads = [threading.Thread(target=load) for _ in range(32)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "assert found == [True] * 32, found\n"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr


def test_the_script_itself_is_a_command_of_its_own():
    done = run("select.py", "--help")
    assert done.returncode == 0, done.stderr
    assert "selection: activessf" in done.stdout
