import json
import subprocess
import sys

import pytest
from run_folders import Cells, write_runs

from mk11.errors import UserError
from mk11.report.__main__ import main


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("MK11_PSEUDONYM_KEY", "a key of the tests alone")


@pytest.fixture
def runs(tmp_path):
    write_runs(tmp_path / "runs", models={"a": 2.0, "b": 1.0}, folds=range(2), hardest=True)
    return tmp_path / "runs"


def test_tables_figures_and_page_are_written_and_named(runs, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([str(runs), "--out", str(out), "--draws", "50", "--compare", "b", "a", "--numbers"]) == 0
    told = capsys.readouterr().out
    assert f"written: {out / 'index.html'}" in told
    assert "mk11/a" in told
    assert "missing: mk11/a lacks fold 2 seed 0, fold 3 seed 0, fold 4 seed 0" in told
    names = {path.name for path in out.iterdir()}
    assert {
        "index.html",
        "summary.tex",
        "comparisons.md",
        "runs.csv",
        "numbers.tex",
        "intervals.json",
    } <= names
    assert list((out / "figures").glob("*.svg"))
    assert "mk11/a" in (out / "index.html").read_text()


def test_a_check_writes_nothing_and_fails_on_an_unknown_number(runs, tmp_path, capsys):
    out, paper = tmp_path / "out", tmp_path / "paper.tex"
    arguments = [str(runs), "--out", str(out), "--no-intervals", "--check", str(paper)]
    paper.write_text("An accuracy of 12.3456.")
    assert main(arguments) == 1
    assert f"{paper}:1: 12.3456 is not in the ledger" in capsys.readouterr().out
    assert not out.exists()
    paper.write_text("No number.")
    assert main(arguments) == 0


def test_literals_may_be_looked_for_by_value_and_the_chance_of_that_is_told(runs, tmp_path, capsys):
    paper = tmp_path / "paper.tex"
    arguments = [str(runs), "--out", str(tmp_path / "out"), "--no-intervals", "--check", str(paper)]
    main([str(runs), "--out", str(tmp_path / "out"), "--no-intervals", "--tables", "--numbers"])
    numbers = json.loads((tmp_path / "out" / "numbers.json").read_text())
    paper.write_text(f"An accuracy of {numbers['mkNumMkOneOneAAccuracy']['text']}.")
    assert main(arguments) == 1
    capsys.readouterr()
    assert main([*arguments, "--literals"]) == 0
    assert "1 numbers without a name were looked for among all figures" in capsys.readouterr().out
    with pytest.raises(UserError, match="--literals is about --check"):
        main([str(runs), "--literals"])


def test_macros_of_an_earlier_report_do_not_stay_behind(runs, tmp_path):
    out = tmp_path / "out"
    arguments = [str(runs), "--out", str(out), "--no-intervals", "--tables"]
    main([*arguments, "--numbers"])
    assert (out / "numbers.tex").exists()
    main(arguments)
    assert not (out / "numbers.tex").exists()
    assert not (out / "numbers.json").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["--level", "95"], "--level must be"), (["--compare", "a", "nobody"], "but is nobody"),
     (["--draws", "0"], "--draws must be at least 1"), (["--seed", "-1"], "--seed must be at least 0")],
)  # fmt: skip
def test_mistakes_are_told_in_one_sentence(runs, tmp_path, arguments, told):
    with pytest.raises(UserError, match=told):
        main([str(runs), "--out", str(tmp_path / "out"), "--no-intervals", *arguments])


def test_the_command_ends_with_2_without_a_traceback(tmp_path):
    command = [sys.executable, "-m", "mk11.report", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("RUNS must be existing folders")
    assert done.stderr.count("\n") == 1


def test_comparisons_that_were_refused_name_no_image(tmp_path, capsys):
    write_runs(tmp_path / "runs", models={"a": 2.0}, folds=range(1))
    write_runs(tmp_path / "runs", models={"b": 2.0}, folds=range(1), cells=Cells(images=(80, 60, 40, 15)))
    out = tmp_path / "out"
    main([str(tmp_path / "runs"), "--out", str(out), "--no-intervals", "--tables", "--compare", "a", "b"])
    told = (out / "comparisons.md").read_text()
    assert "images are on one side only" in told
    assert ".png" not in told
