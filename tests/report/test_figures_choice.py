"""Which rows have figures, in which order, and what they are called there."""

from collections import Counter
from dataclasses import replace

from mk11.evaluation.statistics.summary import over_folds
from mk11.report.figures.choice import leading, ranked
from mk11.report.figures.looks import file_stem, short_names, shortened, wrapped
from mk11.report.figures.write import LIMIT, drawings
from mk11.report.page import closely


def test_only_so_many_rows_have_figures_of_their_own_the_compared_ones_first(findings):
    extra = [
        replace(
            row,
            configuration=replace(row.configuration, key=f"{number:08x}"),
            summaries={"f1_macro": over_folds({(0, 0): number / 100})},
        )
        for number, row in enumerate(findings.rows * 10)
    ]
    compared, baseline = findings.compared[0].a.key, findings.compared[0].b.key
    many = replace(findings, rows=[*extra, *findings.rows])
    order = [row.configuration.key for row in leading(many, many.rows)]
    assert order[:3] == [baseline, compared, f"{19:08x}"]


def test_as_many_configurations_are_drawn_as_the_page_shows(findings):
    (row, *_) = findings.rows
    many = [
        replace(row, configuration=replace(row.configuration, key=f"{number:08x}")) for number in range(11)
    ]
    found = replace(findings, rows=many, compared=[])
    drawn = {name for name, _ in drawings(found, limit=LIMIT, tell=print) if name.startswith("confusion-")}
    assert drawn == {f"confusion-{one.configuration.key}" for one in closely(found)}
    assert len(drawn) == LIMIT


def test_a_marked_row_ranks_behind_those_it_may_not_be_held_against(findings):
    best = replace(
        findings.rows[1], marks=["leak"], configuration=replace(findings.rows[1].configuration, key="0")
    )
    rows = [best, *(replace(row, marks=[]) for row in findings.rows)]
    complete = next(row for row in rows[1:] if len(row.folds) == 5)
    order = ranked(rows, "f1_macro")
    assert order.index(best) > order.index(complete)


def test_drawing_stops_at_the_limit(findings):
    names = [name for name, _ in drawings(findings, limit=1, tell=print)]
    assert Counter(name.partition("-")[0] for name in names)["confusion"] == 1


def test_rows_without_a_value_rank_last(findings):
    row = findings.rows[0]
    empty = replace(row, summaries={"f1_macro": over_folds({(0, 0): None})})
    assert ranked([empty, *findings.rows], "f1_macro")[-1] is empty


def test_a_label_loses_its_name_before_its_keys():
    label = "mk11/convnext_layerwise_decay [base_lr=0.047, model=vit]"
    assert shortened(label, limit=45).endswith("[base_lr=0.047, model=vit]")
    assert len(shortened(label, limit=45)) == 45
    assert shortened(label, limit=200) == label


def test_labels_that_cutting_makes_equal_are_told_apart_by_their_keys(findings):
    one = findings.rows[0].configuration
    pair = [replace(one, key=key, label="x" * 50 + key + "y" * 50) for key in ("aaaaaaaa", "bbbbbbbb")]
    names = short_names(pair, limit=40)
    assert names["aaaaaaaa"].endswith("(aaaaaaaa)")
    assert all(len(name) <= 40 for name in names.values())
    assert len(set(names.values())) == 2


def test_lines_break_behind_slashes_and_nothing_is_lost():
    name = "mk11/convnext_layerwise [base_lr=0.1, model=vit]"
    lines = wrapped(name, width=16).split("\n")
    assert all(len(line) <= 16 for line in lines)
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")


def test_a_file_name_has_letters_digits_and_lines_only():
    assert file_stem("../a b:ü") == "___a_b__"
