import subprocess
import sys
from pathlib import Path

import pytest
from run_folders import Cells, write_run, write_runs
from sweep_folders import commands, lines_with


def test_a_complete_matrix_needs_no_command(status):
    write_runs(Path("runs"), folds=range(3), cells=Cells(folds=3))
    out, err, code = status()
    assert code == 0
    assert "6 of 6 cells done" in out
    assert lines_with(out, "mk11/convnext")[0].count("✓ done") == 3
    assert commands(out) == []
    assert err == ""


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


def test_old_runs_on_other_images_are_rows_of_their_own(status):
    write_run(Path("runs/first"), fold=0, old=True)
    write_run(Path("runs/second"), fold=1, old=True, cells=Cells(images=(50, 40, 30, 10)))
    out, _, _ = status()
    assert "2 of 10 cells done" in out
    assert len(lines_with(out, "mk11/convnext [205 images]", "✓ done")) == 1
    assert len(lines_with(out, "mk11/convnext [130 images]", "✓ done")) == 1


def test_an_old_run_whose_fold_has_newer_images_counts_as_missing_and_is_told(status):
    for place, when, cells in (("first", "01", Cells()), ("second", "02", Cells(seed=1))):
        ended = {"ended": f"2026-03-{when}T10:00:00+00:00"}
        write_run(Path("runs", place), fold=0, seed=int(when), old=True, cells=cells, record=ended)
    write_run(Path("runs"), fold=1, seed=1, old=True)
    out, err, _ = status()
    assert "2 of 10 cells done, 8 missing" in out
    assert lines_with(err, "note:", "/first/", "is left out, since a newer run of its fold 0")
