import pytest
from comparison_words import CELLS
from run_folders import write_runs

from mk11.compare.__main__ import main


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two models on five folds; one seed."""
    place = tmp_path_factory.mktemp("compare") / "runs"
    write_runs(place, models={"convnext": 2.0, "vit": 1.0}, cells=CELLS)
    return place


@pytest.fixture
def compare(capsys, monkeypatch):
    """Run `python -m mk11.compare`; returns what it printed and the exit status."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return out, err, code

    return run
