import json
import re

import pytest
from run_folders import write_run

from mk11.errors import UserError
from mk11.report.check import Checked, check_paper
from mk11.report.macros import camel, names_of
from mk11.report.numbers import ledger, write_numbers
from mk11.report.published import published_sources
from mk11.report.tables.write import write_tables


@pytest.fixture(scope="module")
def numbers(findings):
    return ledger(findings, published_sources())


@pytest.fixture
def check(numbers, tmp_path):
    """Problems of a paper, without the folder in front of them."""

    def problems(source):
        (tmp_path / "paper.tex").write_text(source)
        checked = Checked()
        check_paper(tmp_path / "paper.tex", numbers, checked)
        return [problem.removeprefix(f"{tmp_path}/") for problem in checked.problems]

    return problems


def test_every_macro_is_letters_alone_and_means_one_figure(numbers, nasty):
    for told in (numbers, ledger(nasty, ())):
        names = [number.macro for number in told]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch("mkNum[A-Za-z]+", name) for name in names)


def test_names_in_letters():
    assert camel("mk11/convnext") == "MkOneOneConvnext"
    assert camel("f1_macro") == "FOneMacro"
    assert camel("Zäpfchen β") == "ZapfchenUDLC"


def test_names_that_would_be_the_same_get_their_keys_behind_them():
    assert names_of(["a-b", "a_b", "c"], ["01ab", "ffff", "0000"]) == ["ABABKL", "ABPPPP", "C"]


def test_a_number_is_bound_to_the_runs_it_was_computed_from(numbers, findings, tmp_path):
    write_numbers(numbers, tmp_path)
    told = json.loads((tmp_path / "numbers.json").read_text())
    row = findings.rows[1]
    entry = told["mkNumMkOneOneVitAccuracy"]
    assert entry["value"] == row.summaries["accuracy"].mean
    assert entry["text"] == f"{100 * row.summaries['accuracy'].mean:.2f}"
    assert entry["key"] == row.configuration.key
    assert entry["runs"] == [run.record["identity"] for run in row.configuration.finished]
    assert len(entry["runs"]) == 9
    latex = (tmp_path / "numbers.tex").read_text()
    assert f"\\newcommand{{\\mkNumMkOneOneVitAccuracy}}{{{entry['text']}}}" in latex
    assert entry["runs"][0] in latex


def test_a_published_number_is_bound_to_its_source_and_to_no_run(numbers):
    (number,) = [one for one in numbers if one.macro == "mkNumActivessfMAEPublishedAccuracy"]
    assert (number.text, number.runs) == ("78.76", ())
    assert number.source.startswith("ActiveSSF")


def test_a_paper_of_known_numbers_passes(check, findings):
    summary = findings.rows[0].summaries["pr_auc"]
    mean, sd = 100 * summary.mean, 100 * summary.sd
    assert check(
        f"PR-AUC ${mean:.2f} \\pm {sd:.2f}$, that is {mean:.1f}\\%, or {summary.mean:.4f}.\n"
        "\\mkNumMkOneOneConvnextPrAuc, p < 0.05, published 79.23\\%"
    ) == []  # fmt: skip


def test_unknown_numbers_and_macros_are_told_with_their_lines(check, findings):
    mean = 100 * findings.rows[0].summaries["pr_auc"].mean
    problems = check(f"Good: {mean:.2f}.\nBad: {mean + 0.02:.3f}1.\n% \\mkNumGone\n\\mkNumNobody")
    assert len(problems) == 2
    assert problems[0].startswith(f"paper.tex:2: {mean + 0.02:.3f}1 is not in the ledger")
    assert problems[1] == "paper.tex:4: \\mkNumNobody is no macro of the ledger"


def test_a_mean_beside_another_rows_deviation_is_a_mistake(check, findings):
    ours, theirs = (row.summaries["accuracy"] for row in findings.rows)
    assert check(f"{100 * ours.mean:.2f} $\\pm$ {100 * ours.sd:.2f}") == []
    assert len(check(f"{100 * ours.mean:.2f} $\\pm$ {100 * theirs.sd:.2f}")) == 1


def test_a_wrong_sign_is_a_mistake(check, findings):
    difference = 100 * findings.compared[0].result.difference
    assert difference > 0
    assert check(f"better by {difference:.4f} points") == []
    assert len(check(f"a change of $-{difference:.4f}$ points")) == 1


def test_what_a_paper_inputs_is_checked_too(check, tmp_path):
    (tmp_path / "results.tex").write_text("\n99.987")
    problems = check("\\input{results}\n\\include{gone}\n% \\input{commented}")
    assert [problem.split(" ")[0] for problem in problems] == ["results.tex:2:", "paper.tex:2:"]


def test_every_table_that_the_report_writes_passes_its_own_check(findings, numbers, tmp_path):
    write_tables(findings, tmp_path, published_sources(), as_published=True)
    write_numbers(numbers, tmp_path)
    checked = Checked()
    for path in sorted(tmp_path.glob("*.tex")):
        check_paper(path, numbers, checked)
    assert checked.problems == []
    assert len(checked.files) == 7
    assert checked.numbers > 400


def test_a_paper_that_is_not_there_is_refused(numbers, tmp_path):
    with pytest.raises(UserError, match=r"gone\.tex cannot be read"):
        check_paper(tmp_path / "gone.tex", numbers, Checked())


def test_numbers_of_a_final_run_are_bound_to_it_alone(tmp_path, found_in):
    write_run(tmp_path, fold=0)
    final = write_run(tmp_path, fold="final")
    told = ledger(found_in(tmp_path, cache=tmp_path / "c.json", intervals=False), ())
    runs = {number.runs for number in told if number.metric.endswith("final")}
    assert runs == {(final.name.rpartition("-")[2],)}
