import json
import shlex
from pathlib import Path

from run_folders import write_run, write_runs
from sweep_folders import commands, lines_with

from mk11.status.commands import Job, merged, without_rerun


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


def test_a_sweep_is_not_repeated_with_rerun():
    assert (
        without_rerun("python train.py -m rerun=true 'a=b c' fold=0,1")
        == "python train.py -m 'a=b c' fold=0,1"
    )


def test_a_command_is_never_broken_over_lines(status, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    overrides = ["model=convnext", *(f"some.long.key{n}=value" for n in range(9)), "fold=0"]
    write_run(Path("runs"), record={"overrides": overrides})
    (command,) = commands(status()[0])
    assert command.endswith("fold=1,2,3,4")
