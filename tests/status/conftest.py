import pytest

from mk11.status.__main__ import main


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
