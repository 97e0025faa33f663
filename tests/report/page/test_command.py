"""What the command hands to the page and the tables."""

import pytest
from run_folders import write_runs

from mk11.report.__main__ import main


@pytest.mark.parametrize("identify", [False, True])
def test_what_was_asked_for_reaches_page_and_tables(tmp_path, identify):
    write_runs(tmp_path / "runs", models={"vit": 1.0}, folds=range(1), hardest=True)
    out = tmp_path / "out"
    asked = ["--no-intervals", *(["--identify"] if identify else ["--published"])]
    assert main([str(tmp_path / "runs"), "--out", str(out), *asked]) == 0
    page, table = (out / "index.html").read_text(), (out / "runs.csv").read_text()
    assert ("ActiveSSF" in page) == (not identify)
    assert (">P0" in page) == (str(tmp_path) in table) == identify
