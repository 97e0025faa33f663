import subprocess
import sys
import time

import pytest

from mk11.errors import UserError
from mk11.files import read_json, replacing, writable_folder, write_json
from mk11.runs.folder import RunFolder


def test_a_folder_held_by_another_process_is_refused(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from mk11.runs.folder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).locked(): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="written by another process"), RunFolder(tmp_path).locked():
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with RunFolder(tmp_path).locked():  # a killed holder leaves no lock behind
        pass


def test_the_heartbeat_is_fresh_while_the_folder_is_held(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        deadline = time.time() + 5
        while not folder.heartbeat.exists() and time.time() < deadline:
            time.sleep(0.01)
        assert time.time() - folder.heartbeat.stat().st_mtime < 5


def test_status_lives_in_run_json_and_other_fields_survive(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.status() is None
    folder.update({"status": "running", "fold": 2})
    folder.update({"status": "finished"})
    assert folder.read() == {"status": "finished", "fold": 2}


def test_a_damaged_run_json_is_named(tmp_path):
    folder = RunFolder(tmp_path)
    folder.record.write_text('{"status": "fin')
    with pytest.raises(UserError, match=r"run\.json"):
        folder.status()


def test_set_aside_loses_nothing(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        folder.update({"status": "finished"})
        folder.figures.mkdir()
        (folder.figures / "a.svg").write_text("<svg/>")
        folder.set_aside()
        assert folder.status() is None
        (kept,) = (folder.path / "previous").iterdir()
        assert read_json(kept / "run.json") == {"status": "finished"}
        assert (kept / "figures" / "a.svg").read_text() == "<svg/>"


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text(f"half {1 / 0}")
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_nan_is_refused_in_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_who_holds_the_folder_removes_what_a_killed_process_left(tmp_path):
    folder = RunFolder(tmp_path)
    folder.checkpoints.mkdir()
    left = folder.checkpoints / ".last.ckpt.4321.tmp"
    left.write_bytes(b"half")
    folder.last.write_bytes(b"whole")
    with folder.locked():
        assert not left.exists()
        assert folder.last.read_bytes() == b"whole"


def test_a_folder_that_cannot_be_made_is_told_with_its_key(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^runs must be a folder that can be written to, but is .*file/runs"):
        writable_folder("runs", tmp_path / "file" / "runs")
    writable_folder("runs", tmp_path / "new" / "runs")
    assert (tmp_path / "new" / "runs").is_dir()


def test_a_folder_that_may_not_be_written_to_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("mk11.files.os.access", lambda path, mode: False)
    with pytest.raises(UserError, match=r"it may not be written to"):
        writable_folder("runs", tmp_path)
