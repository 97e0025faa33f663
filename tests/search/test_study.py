import csv
import itertools
import json
import os
import signal
from pathlib import Path

import optuna
import pytest

from mk11.search import study as study_module
from mk11.search.__main__ import main
from mk11.search.file import read_search
from mk11.search.study import open_study


@pytest.fixture
def searched(tmp_path, monkeypatch):
    """Run the command line; returns its status and the trials table."""
    before = signal.getsignal(signal.SIGTERM)

    def run(path, *arguments, storage="study.journal"):
        status = main([str(path), "--storage", str(tmp_path / storage), *arguments])
        with open(tmp_path / f"{storage.split('.')[0]}-trials.csv", newline="") as file:
            return status, list(csv.DictReader(file))

    yield run
    signal.signal(signal.SIGTERM, before)


def test_it_finds_the_peak_and_prints_the_command_that_gives_it(search_file, searched, capsys):
    status, trials = searched(search_file(), "--trials", "25")
    assert status == 0
    best = max(trials, key=lambda trial: float(trial["val/pr_auc"]))
    assert abs(float(best["optim.base_lr"]) - 0.3) < 0.1
    told = capsys.readouterr().out
    assert f"best of 25: trial {best['trial']}" in told
    assert best["command"] in told
    assert "tuned by try" in told
    made = json.loads(Path(best["result"], "told.json").read_text())
    assert made["analysis.tuned"] == "try"
    assert float(best["val/pr_auc"]) == 1 - (float(made["optim.base_lr"]) - 0.3) ** 2


@pytest.mark.parametrize("storage", ["study.journal", "study.db"])
def test_repeated_it_goes_on_and_draws_nothing_twice(search_file, searched, storage):
    path = search_file(method="random")
    _, first = searched(path, "--trials", "3", storage=storage)
    _, second = searched(path, "--trials", "7", storage=storage)
    assert second[:3] == first
    assert len(second) == len({trial["optim.base_lr"] for trial in second}) == 7
    _, third = searched(path, "--trials", "7", storage=storage)
    assert third == second


def test_the_same_seed_draws_the_same(search_file, searched):
    path = search_file()
    names = ("a.journal", "b.journal", "c.journal")
    drawn = [
        [
            trial["optim.base_lr"]
            for trial in searched(path, "--trials", "12", "--seed", seed, storage=name)[1]
        ]
        for name, seed in zip(names, ("0", "0", "1"), strict=True)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_failed_trial_is_marked_and_the_search_goes_on(search_file, searched, capsys):
    _, trials = searched(search_file(method="random"), "limit=0.5", "--trials", "8")
    states = [trial["state"] for trial in trials]
    assert set(states) == {"complete", "fail"}
    for trial in trials:
        assert (trial["state"] == "fail") == (float(trial["optim.base_lr"]) > 0.5)
        assert ("the learning rate is too high (status 1)" in trial["error"]) == (trial["state"] == "fail")
    assert capsys.readouterr().out.count("failed  optim.base_lr=") == states.count("fail")


def test_with_every_trial_failed_the_command_fails(search_file, searched):
    status, trials = searched(search_file(), "--trials", "2", "fail=True")
    assert status == 1
    assert [trial["state"] for trial in trials] == ["fail", "fail"]


def test_a_grid_runs_every_cell_once_and_stops(search_file, searched, capsys):
    parameters = {
        "optim.base_lr": {"values": [0.1, 0.2]},
        "fold": {"values": [0, 1, 2]},
        "workers": {"value": 2},
    }
    path = search_file(parameters, method="grid", metric=None)
    searched(path, "--trials", "4")
    status, trials = searched(path)
    assert status == 0
    cells = [(trial["fold"], trial["optim.base_lr"]) for trial in trials]
    assert cells == list(itertools.product(["0", "1", "2"], ["0.1", "0.2"]))
    assert {trial["workers"] for trial in trials} == {"2"}
    assert "nothing is chosen" in capsys.readouterr().out


def test_a_changed_space_does_not_go_into_the_same_study(search_file, tmp_path, capsys):
    storage = ["--storage", str(tmp_path / "s.journal"), "--trials", "1"]
    assert main([str(search_file()), *storage]) == 0
    capsys.readouterr()
    assert main([str(search_file({"optim.base_lr": {"min": 0.0, "max": 2.0}})), *storage]) == 2
    assert "holds search try with other parameters, method or metric" in capsys.readouterr().err


def test_interrupted_it_takes_the_same_values_up_again(search_file, searched, monkeypatch, capsys):
    path = search_file()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(study_module, "run_command", interrupted)
        status, (first,) = searched(path, "--trials", "2")[0], searched(path, "--trials", "0")[1][:1]
    assert status == 130
    assert "the same command goes on" in capsys.readouterr().err
    _, trials = searched(path, "--trials", "2")
    done = [trial for trial in trials if trial["state"] == "complete"]
    assert len(done) == 2
    assert first["error"] == "interrupted"
    assert done[0]["optim.base_lr"] == first["optim.base_lr"]


def test_what_a_killed_search_was_running_is_taken_up_again(search_file, searched, tmp_path):
    path = search_file()
    study = open_study(read_search(path), tmp_path / "study.journal")
    dead = study.ask()
    dead.set_user_attr("process", {"host": os.uname().nodename, "pid": 2**22 + 1})  # beyond any pid
    lost = dead.suggest_float("optim.base_lr", 0.0, 1.0)
    alive = study.ask()
    alive.set_user_attr("process", {"host": os.uname().nodename, "pid": os.getpid()})
    _, trials = searched(path, "--trials", "3")
    by_state = {
        state: [t for t in trials if t["state"] == state] for state in ("running", "fail", "complete")
    }
    assert [len(found) for found in by_state.values()] == [1, 1, 2]
    assert str(lost) in [trial["optim.base_lr"] for trial in by_state["complete"]]


def test_two_searches_at_once_share_the_trials(search_file, tmp_path):
    """The second begins while the first is in its second trial."""
    path, storage = search_file(method="random"), tmp_path / "s.journal"
    first = open_study(read_search(path), storage)
    first.tell(first.ask(), 0.5)
    running = first.ask()
    running.set_user_attr("process", {"host": "another machine", "pid": 1})
    assert main([str(path), "--storage", str(storage), "--trials", "4"]) == 0
    states = [trial.state.name for trial in first.get_trials()]
    assert states == ["COMPLETE", "RUNNING", "COMPLETE", "COMPLETE"]


def test_sampling_is_left_to_optuna(search_file, tmp_path):
    assert isinstance(study_module._sampler("bayes", seed=0), optuna.samplers.TPESampler)
    assert isinstance(study_module._sampler("random", seed=0), optuna.samplers.RandomSampler)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "--trials must be given for method bayes"),
        (["--trials", "1", "fold"], "must be key=value, but 'fold'"),
    ],
)
def test_a_mistake_on_the_command_line_is_told_in_one_sentence(search_file, capsys, arguments, sentence):
    assert main([str(search_file()), *arguments]) == 2
    assert sentence in capsys.readouterr().err
