import io
import re
import sys
from dataclasses import replace

import pytest

from mk11.report.check import Checked
from mk11.report.findings import Findings
from mk11.report.terminal import print_checked, print_findings

ODD = "gone \x1b[2J [bold]x[/bold] µ"


@pytest.fixture
def printed(monkeypatch):
    """What is printed of findings to a pipe that has no letter beyond ASCII."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(findings):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", io.TextIOWrapper(raw := io.BytesIO(), encoding="ascii"))
            print_findings(findings, [], as_published=False)
            sys.stdout.flush()
            return raw.getvalue().decode()

    return run


def findings_of(**changes):
    empty = {name: [] for name in ("rows", "compared", "refused", "runs", "problems", "warnings")}
    return Findings(**{**empty, "primary": "f1_macro", **changes})


def test_sentences_steer_no_terminal_and_need_no_encoding(printed):
    out = printed(findings_of(warnings=[ODD], problems=[ODD]))
    assert "warning: gone ?[2J [bold]x[/bold] ?\n" in out
    assert "left out: gone ?[2J [bold]x[/bold] ?\n" in out


def test_class_names_and_labels_steer_no_terminal_and_need_no_encoding(findings, printed):
    row = findings.rows[0]
    odd = replace(row, configuration=replace(row.configuration, label="x\x1b[2Jy [b]µ"))
    assert "x?[2Jy [b]?" in printed(findings_of(rows=[odd]))


@pytest.mark.parametrize("width", [None, 60])
def test_labels_figures_and_words_of_headers_are_whole_at_any_width(width, findings, printed, monkeypatch):
    if width:
        monkeypatch.setenv("COLUMNS", str(width))
    tables = printed(findings)
    assert len(re.findall("mk11/convnext ", tables)) >= 2
    assert re.search(r"\[[-+]\d+\.\d\d, [-+]\d+\.\d\d\]", tables)
    assert {"Accuracy", "Difference", "Interval", "Corrected"} <= set(tables.split())


def test_problems_of_a_paper_steer_no_terminal(capsys):
    print_checked(Checked(problems=["paper.tex:3: \x1b[2J 93.4"]), figures=7)
    out, _ = capsys.readouterr()
    assert out.startswith("paper.tex:3: ?[2J 93.4\n")
