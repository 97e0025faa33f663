import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_folders import Cells, write_run, write_runs

from mk11.cli.matrix.records import CellRecord, MatrixFolder
from mk11.files import write_json
from mk11.runs.folder import RunFolder
from mk11.runs.ledger import read_run
from mk11.status.__main__ import main
from mk11.status.cells import cell_of, minutes_left
from mk11.status.commands import Job, merged, without_rerun


@pytest.fixture(autouse=True)
def no_width(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def status(tmp_path, capsys, monkeypatch):
    """Run `python -m mk11.status` on <tmp>/runs in <tmp>; returns what it printed and the exit status."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return out, err, code

    return run


def lines_with(text, *words):
    return [line for line in text.splitlines() if all(word in line for word in words)]


def commands(out):
    return [line.strip() for line in lines_with(out, "python train.py")]


def sweep_of(
    runs, *arguments, cells, records=(), when="2026-03-01_10-00-00", host="elsewhere", pid=1, age=3600
):
    """What a multirun leaves: the planned cells and the records of some of them."""
    folder = MatrixFolder(runs / "sweeps" / when)
    plan = {
        "command": shlex.join(["python", "train.py", "-m", *arguments]),
        "started": "2026-03-01T10:00:00+00:00",
        "host": host,
        "pid": pid,
        "cells": [{"overrides": list(overrides)} for overrides in cells],
    }
    write_json(folder.matrix, plan)
    for record in records:
        folder.write(record)
    old = time.time() - age
    for path in folder.path.rglob("*.json"):
        os.utime(path, (old, old))
    return folder


def cells(models, folds, *more):
    return [[f"model={model}", f"fold={fold}", "seed=0", *more] for model in models for fold in folds]


def test_a_complete_matrix_needs_no_command(status):
    write_runs(Path("runs"), folds=range(3), cells=Cells(folds=3))
    out, err, code = status()
    assert code == 0
    assert "6 of 6 cells done" in out
    assert lines_with(out, "mk11/convnext")[0].count("✓ done") == 3
    assert commands(out) == []
    assert err == ""


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


def test_the_command_is_made_of_a_siblings_overrides_without_what_would_repeat_or_prevent_the_work(status):
    overrides = [
        "model=convnext",
        "sweep=folds",
        "rerun=true",
        "+extra='a b'",
        "fold=0",
        "seed=3",
        "dry=false",
    ]
    write_run(Path("runs"), fold=0, seed=3, record={"overrides": overrides})
    out, _, _ = status()
    (command,) = commands(out)
    words = shlex.split(command)
    assert words == ["python", "train.py", "-m", "model=convnext", "+extra='a b'", "fold=1,2,3,4", "seed=3"]


def test_seeds_that_lack_the_same_folds_and_models_that_lack_the_same_cells_share_a_command(status):
    lacking = {(model, fold, seed) for model in ("a", "b") for fold in (1, 3) for seed in (0, 1)}
    write_runs(Path("runs"), models={"a": 1, "b": 1, "c": 1}, seeds=(0, 1), missing=lacking)
    out, _, _ = status()
    assert commands(out) == ["python train.py -m model=a,b fold=1,3 seed=0,1"]
    assert lines_with(out, "mk11/a", "✓ 2/2", "· 0/2 missing")
    assert not lines_with(out, "failed")


def test_one_missing_cell_needs_no_multirun(status):
    write_runs(Path("runs"), models={"a": 1}, missing={("a", 2, 0)})
    assert commands(status()[0]) == ["python train.py model=a fold=2"]


def test_jobs_that_differ_in_two_overrides_stay_apart():
    def job(model, rate):
        return Job("train.py", (("model", (model,)), ("lr", (rate,))), (0,), (0,))

    found = merged([job("a", "1"), job("b", "1"), job("c", "2"), job("a", "1")])
    assert [one.line for one in found] == [
        "python train.py -m model=a,b lr=1 fold=0",
        "python train.py model=c lr=2 fold=0",
    ]


def test_a_run_that_does_not_tell_its_overrides_gets_no_made_up_command(status):
    run = write_run(Path("runs"))
    record = json.loads((run / "run.json").read_text())
    del record["overrides"]
    (run / "run.json").write_text(json.dumps(record))
    out, _, code = status()
    assert code == 0
    assert commands(out) == []


def test_an_incomplete_sweep_is_finished_by_its_own_command_line(status):
    runs = Path("runs")
    for fold in (0, 1):
        write_run(runs, model="vit", fold=fold, record={"overrides": ["model=vit", f"fold={fold}", "seed=0"]})
    sweep_of(runs, "model=vit,vgg", "fold=0,1", "seed=0", "+note=it's", cells=cells(("vit", "vgg"), (0, 1)))
    out, _, _ = status()
    assert "The sweep of 2026-03-01 10:00, 2 of 4 cells open" in out
    assert commands(out)[0] == """python train.py -m model=vit,vgg fold=0,1 seed=0 '+note=it'"'"'s'"""
    assert lines_with(out, "model=vgg", "· missing")  # never started: no run folder tells of it
    assert commands(out)[1:] == ["python train.py -m model=vit fold=2,3,4"]  # the sweep did not ask for these


def test_cells_that_failed_before_they_had_a_folder_tell_why(status):
    asked = cells(("vgg",), (0, 1))
    broken = CellRecord(0, asked[0], status="failed", error="model.weights must be a file, but is x")
    ended = CellRecord(1, asked[1], status="timed_out", error="no output for 60 s")
    sweep_of(Path("runs"), "model=vgg", "fold=0,1", cells=asked, records=[broken, ended])
    out, _, _ = status()
    assert "0 of 2 cells done, 2 failed" in out
    assert lines_with(out, "✗ failed", "fold 0 seed 0: model.weights must be a file, but is x")
    assert lines_with(out, "✗ failed", "fold 1 seed 0: no output for 60 s")


def test_a_sweep_that_a_later_one_completed_is_not_shown(status):
    runs, asked = Path("runs"), cells(("vit",), range(5))
    sweep_of(runs, "model=vit", "fold=0,1,2,3,4", "seed=0", cells=asked, when="2026-03-01_10-00-00")
    for fold, overrides in enumerate(asked):
        write_run(runs, model="vit", fold=fold, record={"overrides": overrides[::-1]})
    sweep_of(runs, "model=vit", "fold=0,1,2,3,4", "seed=0", cells=asked, when="2026-03-02_10-00-00")
    out, _, _ = status()
    assert "5 of 5 cells done" in out
    assert "sweep" not in out


def test_of_two_sweeps_that_lack_the_same_cells_the_later_one_is_shown(status):
    for day, jobs in (("2026-03-01_10-00-00", "jobs=1"), ("2026-03-02_10-00-00", "jobs=2")):
        sweep_of(Path("runs"), "model=vit", jobs, "fold=0,1", cells=cells(("vit",), (0, 1)), when=day)
    assert commands(status()[0]) == ["python train.py -m model=vit jobs=2 fold=0,1"]


def test_a_sweep_is_not_repeated_with_rerun():
    assert (
        without_rerun("python train.py -m rerun=true 'a=b c' fold=0,1")
        == "python train.py -m 'a=b c' fold=0,1"
    )


def test_results_that_somebody_deleted_are_not_asked_for_again(status):
    asked = cells(("vit",), (0, 1))
    gone = [CellRecord(n, asked[n], status="finished", folder="/nowhere/at/all") for n in (0, 1)]
    sweep_of(Path("runs"), "model=vit", cells=asked, records=gone)
    write_runs(Path("runs"), models={"convnext": 1.0})
    out, _, _ = status()
    assert "5 of 5 cells done" in out
    assert "vit" not in out


def test_fold_all_is_complete_when_every_fold_is(status):
    runs = Path("runs")
    paths = write_runs(runs, models={"vit": 1.0}, missing={("vit", 4, 0)})
    begun = [
        CellRecord(
            0, ["model=vit", f"fold={fold}"], fold=fold, status="finished", folder=str(path.absolute())
        )
        for fold, path in enumerate(paths)
    ]
    for path in paths:
        record = json.loads((path / "run.json").read_text())
        write_json(path / "run.json", record | {"overrides": ["model=vit", f"fold={record['fold']}"]})
    folder = sweep_of(runs, "model=vit", "fold=all", cells=[["model=vit", "fold=all"]], records=begun)
    out, _, _ = status()
    assert commands(out) == ["python train.py -m model=vit fold=all"]
    last = write_run(runs, model="vit", fold=4, record={"overrides": ["model=vit", "fold=4"]})
    folder.write(
        CellRecord(0, ["model=vit", "fold=4"], fold=4, status="finished", folder=str(last.absolute()))
    )
    out, _, _ = status()
    assert "5 of 5 cells done" in out
    assert commands(out) == []


def test_cells_of_a_sweep_that_still_runs_are_waiting(status):
    asked = cells(("vgg",), (0, 1, 2))
    starting = CellRecord(0, asked[0], status="running")
    code = "import time; print('begun', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, "train.py"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "begun\n"
        host = os.uname().nodename
        sweep_of(Path("runs"), "fold=0,1,2", cells=asked, records=[starting], host=host, pid=process.pid)
        out, _, _ = status()
    finally:
        process.kill()
        process.communicate()
    assert lines_with(out, "model=vgg", "▶ running", "… waiting")
    assert "3 of 3 cells open, is still going" in out
    assert commands(out) == []
    out, _, _ = status()  # the process is gone
    assert lines_with(out, "‖ stopped", "killed while starting")
    assert len(commands(out)) == 1


def test_another_process_with_the_number_of_a_dead_sweep_does_not_make_it_alive(status):
    host = os.uname().nodename
    sweep_of(Path("runs"), "fold=0,1", cells=cells(("vgg",), (0, 1)), host=host, pid=os.getppid())
    assert len(commands(status()[0])) == 1


def test_a_damaged_sweep_and_a_damaged_run_are_told_and_the_rest_is_shown(status):
    runs = Path("runs")
    write_run(runs)
    sweep_of(runs, cells=[["fold=0"]]).matrix.write_text('{"cells": 3')
    sweep_of(runs, cells=[["fold=0"]], when="b").matrix.write_text('{"cells": 3, "command": "x"}')
    sweep_of(runs, cells=[["fold=0"]], when="c", records=[CellRecord(0, [])])
    (runs / "sweeps/c/cells/0.json").write_text("[]")
    bad = write_run(runs, fold=1)
    (bad / "run.json").write_text("{")
    out, err, code = status()
    assert (code, "1 of 5 cells done" in out) == (0, True)
    assert len(lines_with(err, "note:", "was left out")) == 4


def test_several_places_are_one_matrix(status):
    write_run(Path("here"), fold=0)
    write_run(Path("there"), fold=1)
    out, _, _ = status("here", "there", "here/train")
    assert "2 of 5 cells done" in out


def test_two_runs_of_one_cell_are_one_cell_and_the_doubt_is_told(status):
    write_run(Path("runs/here"), fold=0)
    write_run(Path("runs/there"), fold=0)
    write_run(Path("runs/third"), fold=0, status="failed")
    out, err, _ = status()
    assert "1 of 5 cells done, 4 missing" in out
    assert "has 2 finished runs: the last one counts" in err


def test_nothing_found_is_a_helpful_sentence_and_no_error(status, tmp_path):
    out, _, code = status()
    assert (code, "no runs under runs: python train.py makes one" in out) == (0, True)
    (tmp_path / "empty").mkdir()
    out, _, code = status("empty")
    assert (code, "no runs under empty" in out) == (0, True)


def test_a_place_that_was_typed_wrongly_is_a_users_mistake(status):
    out, err, code = status("rnus")
    assert (out, code) == ("", 2)
    assert "RUNS must be existing folders, but rnus is not" in err


@pytest.mark.parametrize(("width", "cell"), [(80, "✓"), (200, "✓ done")])
def test_the_table_fits_the_terminal_and_always_tells_the_words(width, cell, status, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    name = "a_model_with_a_rather_long_name_of_its_own"
    write_runs(Path("runs"), models={name: 1.0}, folds=range(9), cells=Cells(folds=10, patients=0))
    out, _, _ = status()
    table = out.split("python train.py")[0].rpartition("What no sweep")[0]
    assert max(map(len, table.splitlines())) <= width
    (row,) = [line.split() for line in table.splitlines() if cell in line and "mk11/" in line]
    assert row[1:] == [*cell.split() * 9, *("·" if width == 80 else "· missing").split()]
    assert lines_with(out, "✓ done", "· missing")


def test_no_word_is_cut_off_at_any_width(status, monkeypatch):
    write_runs(Path("runs"), models={"a_rather_long_model": 1.0}, folds=(0, 1))
    write_run(Path("runs"), model="a_rather_long_model", fold=2, status="running")
    for width in range(50, 110):
        monkeypatch.setenv("COLUMNS", str(width))
        out, _, _ = status()
        words = [line for line in out.splitlines() if "✓" in line and "mk11" in line]
        assert words, width
        assert " ".join(words[0].split("✓", 1)[1].split()) in (
            "done ✓ done ▶ epoch 2/6 · missing · missing",
            "✓ ▶ · ·",
        )


def test_only_open_rows_are_shown_on_request(status):
    write_runs(Path("runs"), models={"a": 1.0, "b": 1.0}, missing={("b", 1, 0)})
    out, _, _ = status("--open")
    assert "9 of 10 cells done" in out
    assert not lines_with(out, "mk11/a")
    assert lines_with(out, "mk11/b")


def test_long_lists_are_cut_unless_all_is_asked_for(status):
    for model in range(6):
        for fold in range(4):
            write_run(Path("runs"), model=f"m{model}", fold=fold, status="failed")
    out, _, _ = status()
    assert len(lines_with(out, "✗ failed", "CUDA")) == 20
    assert "and 4 more failed (--all)" in out
    assert len(lines_with(status("--all")[0], "✗ failed", "CUDA")) == 24


def test_output_to_a_pipe_is_plain_and_text_from_files_steers_no_terminal(status):
    run = write_run(Path("runs"), name="[red]odd[/red]", status="failed")
    (run / "error.txt").write_text("ValueError: \x1b[2Jgone\x07 [bold]x[/bold]\n\n")
    out, _, _ = status()
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "ValueError: ?[2Jgone? [bold]x[/bold]" in out
    assert "[red]odd[/red]/convnext" in out


def test_a_command_is_never_broken_over_lines(status, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    overrides = ["model=convnext", *(f"some.long.key{n}=value" for n in range(9)), "fold=0"]
    write_run(Path("runs"), record={"overrides": overrides})
    (command,) = commands(status()[0])
    assert command.endswith("fold=1,2,3,4")


def test_final_runs_have_a_column_of_their_own_behind_the_folds(status):
    write_runs(Path("runs"), models={"a": 1.0}, folds=[*range(5), "final"])
    out, _, _ = status()
    assert "6 of 6 cells done" in out
    assert lines_with(out, "fold 4", "final")


def test_it_starts_without_the_training_stack(tmp_path):
    write_run(tmp_path / "runs")
    code = (
        "import sys; from mk11.status.__main__ import main; main(); print([m for m in sys.modules if m in "
        "('torch', 'numpy', 'pandas')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert "1 of 5 cells done" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
