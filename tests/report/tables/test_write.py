import csv
import re

import pytest
from run_folders import NASTY, write_run, write_runs

from mk11.report.names import Names
from mk11.report.published import published_sources
from mk11.report.tables.escape import latex
from mk11.report.tables.write import write_tables

REAL = Names(identify=True, runs=[])  # what images and folders are called in the data

FILES = ("summary", "per_class", "groups", "as_published", "comparisons", "calibration")


@pytest.fixture(scope="module")
def out(findings, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    write_tables(findings, out, published_sources(), as_published=True, names=REAL)
    return out


@pytest.fixture(scope="module")
def nasty_out(nasty, tmp_path_factory):
    out = tmp_path_factory.mktemp("nasty-out")
    write_tables(nasty, out, (), as_published=False, names=REAL)
    return out


def without_escapes(text):
    return re.sub(r"\\(?:[\\{}$&%#_])", "", text)


def check_latex(text):
    """Environments nest, braces balance, and every row has as many cells as the table has columns."""
    plain = without_escapes(re.sub(r"(?<!\\)%.*", "", text.replace("\\\\", "\n")))
    assert plain.count("{") == plain.count("}")
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", plain):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    for body in re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", text, re.DOTALL):
        columns = len(re.search(r"@\{\}([lr]+)@\{\}", body)[1])
        rows = [line for line in body.splitlines() if r"\\" in line and "multicolumn" not in line]
        assert rows
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {columns}


@pytest.mark.parametrize("name", FILES)
def test_latex_is_whole(out, name):
    check_latex((out / f"{name}.tex").read_text())


@pytest.mark.parametrize("name", ["summary", "per_class", "groups", "as_published"])
def test_latex_is_whole_whatever_classes_are_called(nasty_out, name):
    check_latex((nasty_out / f"{name}.tex").read_text())


def test_class_names_are_text_in_every_language(nasty_out):
    told = (nasty_out / "per_class.tex").read_text()
    assert all(latex(name) in told for name in NASTY)
    markdown = (nasty_out / "per_class.md").read_text()
    assert "<script>" not in markdown
    assert r"\=1+1" not in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {len(NASTY) + 3}


def test_no_cell_of_a_csv_is_a_formula(nasty_out):
    for path in nasty_out.glob("*.csv"):
        with open(path, newline="") as handle:
            cells = [cell for row in csv.reader(handle) for cell in row]
        numbers = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?$")
        assert not [cell for cell in cells if cell[:1] in "=+-@" and cell and not numbers.match(cell)]


def test_runs_csv_has_a_line_for_every_run_whatever_became_of_it(out, findings):
    with open(out / "runs.csv", newline="") as handle:
        records = list(csv.DictReader(handle))
    assert len(records) == len(findings.runs) == 21
    assert {record["status"] for record in records} == {"finished", "running", "failed"}
    finished = [record for record in records if record["status"] == "finished"]
    by_path = {str(run.folder.path): run for run in findings.runs}
    for record in finished:
        metrics = by_path[record["folder"]].metrics
        assert float(record["test pr_auc"]) == metrics["test"]["pr_auc"]
        assert float(record["test naked f1"]) == metrics["test"]["per_class"]["naked"]["f1"]
        assert record["config model"] in ("convnext", "vit")


def test_a_table_of_an_earlier_report_does_not_stay_behind(tmp_path, findings, nasty):
    write_tables(findings, tmp_path, (), as_published=False, names=REAL)
    assert (tmp_path / "comparisons.md").exists()
    write_tables(nasty, tmp_path, (), as_published=False, names=REAL)
    assert not (tmp_path / "comparisons.md").exists()
    assert not (tmp_path / "calibration.csv").exists()


def test_without_a_finished_run_the_tables_are_empty(tmp_path, found_in):
    write_run(tmp_path / "runs", status="running")
    found = found_in(tmp_path / "runs", cache=tmp_path / "c.json")
    write_tables(found, tmp_path / "out", (), as_published=False, names=REAL)
    assert (tmp_path / "out" / "runs.csv").read_text().count("\n") == 2


def test_final_figures_have_a_table_of_their_own(tmp_path, found_in):
    write_runs(tmp_path / "runs", models={"a": 1.0})
    write_run(tmp_path / "runs", model="a", fold="final", quality=3.0)
    found = found_in(tmp_path / "runs", cache=tmp_path / "c.json", intervals=False)
    write_tables(found, tmp_path / "out", (), as_published=False, names=REAL)
    final = f"{100 * found.rows[0].final['accuracy']:.2f}"
    assert "patients locked away" not in (tmp_path / "out" / "final.md").read_text()
    assert final in (tmp_path / "out" / "final.md").read_text()
    assert final not in (tmp_path / "out" / "summary.md").read_text()
