import json
import re

import pytest
from run_folders import write_run

from mk11.errors import UserError
from mk11.report.check import Check
from mk11.report.macros import camel, names_of
from mk11.report.names import Names
from mk11.report.numbers import ledger, write_numbers
from mk11.report.published import published_sources
from mk11.report.tables.write import write_tables

REAL = Names(identify=True, runs=[])  # what images and folders are called in the data


@pytest.fixture(scope="module")
def numbers(findings):
    return ledger(findings, published_sources())


@pytest.fixture
def check(numbers, tmp_path):
    """Problems of a paper, without the folder in front of them."""

    def problems(source, by_value=True):
        (tmp_path / "paper.tex").write_text(source)
        work = Check(numbers, by_value=by_value)
        work.paper(tmp_path / "paper.tex")
        return [problem.removeprefix(f"{tmp_path}/") for problem in work.found.problems]

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
    write_tables(findings, tmp_path, published_sources(), as_published=True, names=REAL)
    write_numbers(numbers, tmp_path)
    work = Check(numbers, by_value=False)
    for path in sorted(tmp_path.glob("*.tex")):
        work.paper(path)
    assert work.found.problems == []
    assert len(work.found.files) == 7
    assert work.found.numbers > 400
    assert work.found.bare == 0


def test_a_row_of_a_table_that_was_changed_by_hand_is_a_mistake(findings, numbers, tmp_path):
    write_tables(findings, tmp_path, (), as_published=False, names=REAL)
    path = tmp_path / "summary.tex"
    ours, theirs = (f"{100 * row.summaries['accuracy'].mean:.2f}" for row in findings.rows)
    path.write_text(path.read_text().replace(theirs, ours))
    work = Check(numbers, by_value=False)
    work.paper(path)
    assert len(work.found.problems) == 1
    assert f"among those of {findings.rows[1].configuration.key}" in work.found.problems[0]


def test_a_number_must_say_what_it_is_unless_all_are_looked_through(check, findings):
    row = findings.rows[0]
    told = f"{100 * row.summaries['accuracy'].mean:.1f}\\%"
    (problem,) = check(told, by_value=False)
    assert "does not say what it is: use a macro, perhaps \\mkNum" in problem
    assert check(told) == []
    for name in (row.configuration.key, "mkNumMkOneOneConvnextAccuracy", "\\mkNumMkOneOneConvnextAccuracy"):
        assert check(f"{told} % mk11: {name}", by_value=False) == []
    (problem,) = check(f"{told} % mk11: {findings.rows[1].configuration.key}", by_value=False)
    assert f"among those of {findings.rows[1].configuration.key}" in problem
    (problem,) = check(f"{told} % mk11: nobody", by_value=False)
    assert "is said to be of nobody, which is no macro or key" in problem


def test_a_line_may_name_several_figures(check, findings):
    told = " and ".join(f"{100 * row.summaries['accuracy'].mean:.2f}" for row in findings.rows)
    keys = ", ".join(row.configuration.key for row in findings.rows)
    assert check(f"{told} % mk11: {keys}", by_value=False) == []


def test_whole_numbers_in_per_cent_are_looked_at_too(check, findings):
    value = 100 * findings.rows[0].summaries["accuracy"].mean
    name = "% mk11: mkNumMkOneOneConvnextAccuracy"
    assert check(f"{value:.0f}\\% {name}", by_value=False) == []
    assert len(check(f"{value + 2:.0f}\\% {name}", by_value=False)) == 1
    assert len(check(f"{value:.0f}\\%", by_value=False)) == 1


def test_levels_of_p_values_and_intervals_need_no_name(check):
    told = "p < 0.05, p $<$ 0.001, the 95\\% interval, 95\\,\\% confidence, a power of 0.8"
    assert check(told, by_value=False) == []
    assert len(check("an accuracy of 0.8", by_value=False)) == 1


def test_the_chance_of_a_made_up_number_to_pass_is_the_share_that_does(numbers):
    few = [one for one in numbers if one.macro == "mkNumMkOneOneConvnextAccuracy"]
    index = Check(few, by_value=True).index  # as 81.3 and as 0.8
    assert index.chance(1) == pytest.approx(2 / 1001)
    assert Check(numbers, by_value=True).index.chance(1) > 0.1


def test_a_paper_that_is_not_there_is_refused(numbers, tmp_path):
    with pytest.raises(UserError, match=r"gone\.tex cannot be read"):
        Check(numbers, by_value=False).paper(tmp_path / "gone.tex")


def test_numbers_of_a_final_run_are_bound_to_it_alone(tmp_path, found_in):
    write_run(tmp_path, fold=0)
    final = write_run(tmp_path, fold="final")
    told = ledger(found_in(tmp_path, cache=tmp_path / "c.json", intervals=False), ())
    runs = {number.runs for number in told if number.metric.endswith("final")}
    assert runs == {(final.name.rpartition("-")[2],)}
