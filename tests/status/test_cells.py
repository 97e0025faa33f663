import json
import time
from pathlib import Path

import pytest
from run_folders import write_run
from sweep_folders import commands, lines_with

from mk11.files import write_json
from mk11.runs.folder import RunFolder
from mk11.runs.ledger import read_run
from mk11.status.cells import cell_of, minutes_left

COLLECTED = time.time()


def progress(*, epoch, epochs, step, steps, pace, phase="training", updated=None):
    return {
        "epoch": epoch,
        "epochs": epochs,
        "step": step,
        "steps": steps,
        "seconds_per_epoch": pace,
        "phase": phase,
        "updated": time.time() if updated is None else updated,
    }


def test_every_state_has_its_word_its_sign_and_its_explanation(status):
    runs = Path("runs")
    write_run(runs, fold=0)
    write_run(runs, fold=1, status="failed")
    write_run(runs, fold=2, status="interrupted")
    running = write_run(runs, fold=3, status="running")
    write_json(running / "progress.json", progress(epoch=12, epochs=50, step=50, steps=100, pace=60.0))
    out, _, code = status()
    assert code == 0
    assert "1 of 5 cells done, 1 failed, 1 stopped, 1 running, 1 missing" in out
    (row,) = lines_with(out, "mk11/convnext", "✓ done")
    assert [word for word in row.split("  ") if word.strip()][1:] == [
        *("✓ done", "✗ failed", "‖ stopped", "▶ epoch 12/50", "· missing")
    ]
    assert lines_with(out, "✗ failed", "fold 1 seed 0: RuntimeError: CUDA out of memory")
    assert lines_with(out, "‖ stopped", "fold 2 seed 0: interrupted in its first epoch, begins again")
    assert lines_with(out, "▶ running", "fold 3 seed 0: epoch 12 of 50, 38 min left")


@pytest.mark.parametrize(
    ("told", "minutes"),
    [
        (progress(epoch=1, epochs=10, step=0, steps=5, pace=60.0), 10.0),
        (progress(epoch=10, epochs=10, step=5, steps=5, pace=60.0), 0.0),
        (progress(epoch=3, epochs=4, step=1, steps=4, pace=120.0), 3.5),
        (progress(epoch=3, epochs=4, step=1, steps=4, pace=None), None),
        (progress(epoch=3, epochs=4, step=1, steps=0, pace=60.0), 2.0),
        ({}, None),
        ({"epoch": "x", "epochs": [], "seconds_per_epoch": True}, None),
    ],
)
def test_minutes_left_are_those_of_the_epochs_to_come_and_the_rest_of_this_one(told, minutes):
    assert minutes_left(told) == (minutes if minutes is None else pytest.approx(minutes))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "epoch 3 of 6, time left not known yet"),  # from metrics.csv
        ("{", "epoch 3 of 6, time left not known yet"),
        ("[]", "epoch 3 of 6, time left not known yet"),
        (progress(epoch=1, epochs=9, step=1, steps=2, pace=None), "epoch 1 of 9, time left not known yet"),
        (progress(epoch=1, epochs=99, step=0, steps=2, pace=600.0), "epoch 1 of 99, 16.5 h left"),
        (progress(epoch=9, epochs=9, step=2, steps=2, pace=6.0), "epoch 9 of 9, less than 1 min left"),
        (progress(epoch=9, epochs=9, step=2, steps=2, pace=6.0, phase="evaluating"), "evaluating"),
        (
            progress(epoch=1, epochs=9, step=1, steps=2, pace=60.0, updated=time.time() - 1800),
            "no progress for 30",
        ),
    ],
)
def test_a_running_cell_tells_how_far_it_is_whatever_its_progress_file_holds(content, told, tmp_path):
    folder = RunFolder(write_run(tmp_path, status="running"))
    folder.progress.unlink()
    if isinstance(content, dict) and "updated" in content:  # made when the tests were collected
        content = {**content, "updated": content["updated"] + time.time() - COLLECTED}
    if content is not None:
        folder.progress.write_text(content if isinstance(content, str) else json.dumps(content))
    cell = cell_of(read_run(folder.path))
    assert cell.state == "running"
    assert told in cell.told


def test_a_running_cell_without_progress_and_history_is_starting(tmp_path):
    folder = RunFolder(write_run(tmp_path, status="running"))
    folder.progress.unlink()
    folder.history.unlink()
    assert cell_of(read_run(folder.path)).told == "starting"


def test_a_killed_run_says_where_it_will_go_on(status):
    run = write_run(Path("runs"), status="running")
    (run / "heartbeat").unlink()
    out, _, _ = status()
    assert lines_with(out, "‖ stopped", "killed after epoch 2 of 6, goes on from there")


def test_a_result_that_was_lost_is_told_and_made_again(status):
    run = write_run(Path("runs"), fold=4)
    (run / "metrics.json").unlink()
    out, _, _ = status()
    assert lines_with(out, "✗ failed", "it says finished, but metrics.json is missing")
    assert commands(out) == ["python train.py -m model=convnext fold=0,1,2,3,4"]
