import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_folders import NASTY

from mk11.report.tables.escape import latex, markdown, spreadsheet
from mk11.report.tables.write import as_csv


def braces_balance(text):
    """Whether unescaped braces open before they close, and all close."""
    depth, escaped = 0, False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            depth += (character == "{") - (character == "}")
            if depth < 0:
                return False
    return depth == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a_b&c 50%", r"a\_b\&c 50\%"),
        ("$x$ {y}~^#\\", r"\$x\$ \{y\}\textasciitilde{}\textasciicircum{}\#\textbackslash{}"),
        ("<b>|`", r"\textless{}b\textgreater{}\textbar{}\textasciigrave{}"),
        ("Zäpfchen µm", r"Zäpfchen \ensuremath{\mu}m"),
        ("β λ Ω", r"\ensuremath{\beta} \ensuremath{\lambda} \ensuremath{\Omega}"),
        ("Za\u0308pfchen", "Zäpfchen"),
        ("中 🙂", "[U+4E2D] [U+1F642]"),
        ("a--b", "a-{}-b"),
        ("two\nlines\x00", "two lines"),
    ],
)  # fmt: skip
def test_text_for_latex(text, told):
    assert latex(text) == told


@given(st.text())
def test_no_text_acts_in_latex(text):
    told = latex(text)
    assert braces_balance(told)
    bare = told.replace("\\$", "").replace("\\&", "").replace("\\%", "").replace("\\#", "").replace("\\_", "")
    assert not set("$&%#_~") & set(bare)
    assert "\n" not in told


@given(st.text())
def test_no_text_ends_a_cell_or_opens_a_tag_in_markdown(text):
    told = markdown(text)
    assert "<" not in told
    assert "\n" not in told
    for sign in "|`*_$[]":
        assert told.count(sign) == told.count(f"\\{sign}")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@A1", "\tx", "\rx"])
def test_text_that_looks_like_a_formula_is_no_formula(text):
    assert spreadsheet(text) == f"'{text}"


def test_csv_gives_back_text_and_full_precision():
    told = as_csv([{"class": name, "value": 0.1 + 0.2, "none": None} for name in NASTY])
    records = list(csv.DictReader(io.StringIO(told)))
    assert [record["class"].removeprefix("'") for record in records] == list(NASTY)
    assert {float(record["value"]) for record in records} == {0.1 + 0.2}
    assert {record["none"] for record in records} == {""}
    assert not any(record["class"].startswith("=") for record in records)
