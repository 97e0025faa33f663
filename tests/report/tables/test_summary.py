from dataclasses import replace

import pytest
from run_folders import Cells, write_runs

from mk11.report.published import published_sources
from mk11.report.tables.summary import summary_table


def rows_of(table):
    return {row[0].text: row for part in table.parts for row in part.rows}


def bold_rows(table):
    return {name for name, row in rows_of(table).items() if any(cell.bold for cell in row)}


def test_the_best_of_each_column_is_bold(findings):
    table = summary_table(findings, (), as_published=False)
    best, other = rows_of(table)["mk11/convnext"], rows_of(table)["mk11/vit"]
    figures = [
        place for place, name in enumerate(table.columns) if name in ("Accuracy", "F1, macro", "PR-AUC")
    ]
    assert all(best[place].bold and not other[place].bold for place in figures)


def test_published_rows_are_marked_and_never_bold(findings):
    table = summary_table(findings, published_sources(), as_published=False)
    theirs = [part for part in table.parts if part.title and part.title.startswith("Other people's data")]
    assert [len(part.rows) for part in theirs] == [5, 10]
    assert not any(cell.bold for part in theirs for row in part.rows for cell in row)
    assert bold_rows(table) == {"mk11/convnext"}  # though published figures are higher


def test_the_swapped_columns_are_printed_in_the_corrected_order_with_a_note(findings):
    table = summary_table(findings, published_sources(), as_published=False)
    row = dict(zip(table.columns, rows_of(table)["MixMIM + ActiveSSF"], strict=True))
    assert row["PR-AUC"].text == "77.39 ± 1.34"
    assert row["F1, macro"].text == "70.51 ± 0.68"
    (letter,) = row["Configuration"].raised
    assert any(note.startswith(f"{letter}: ") and "corrected order" in note for note in table.notes)


def test_a_row_without_some_folds_is_flagged_and_not_held_against_the_others(tmp_path, found_in):
    write_runs(tmp_path, models={"a": 3.0, "b": 1.0, "c": 0.5}, missing=[("a", 3, 0)])
    found = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False)
    table = summary_table(found, (), as_published=False)
    row = rows_of(table)["mk11/a"]
    assert row[1].text == "4 of 5"
    assert row[0].raised
    assert "a: without fold 3 seed 0" in table.notes
    assert bold_rows(table) == {"mk11/b"}  # a is higher, on other folds


def test_rows_of_the_same_missing_folds_compete(tmp_path, found_in):
    write_runs(tmp_path, models={"a": 3.0, "b": 1.0}, folds=range(3))
    found = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False)
    assert bold_rows(summary_table(found, (), as_published=False)) == {"mk11/a"}


def test_a_row_tuned_on_the_same_folds_says_so_and_does_not_compete(tmp_path, found_in):
    write_runs(tmp_path, models={"a": 3.0}, analysis={"tuned": "hparams"})
    write_runs(tmp_path, models={"b": 1.0, "c": 0.5})
    found = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False)
    table = summary_table(found, (), as_published=False)
    assert "a: tuned on the same folds (by hparams)" in table.notes
    assert rows_of(table)["mk11/a"][0].raised == ("a",)
    assert bold_rows(table) == {"mk11/b"}


def test_rows_on_other_data_stand_in_parts_of_their_own(tmp_path, found_in):
    write_runs(tmp_path, models={"a": 3.0, "b": 1.0}, data_set="1" * 16)
    write_runs(tmp_path, name="other", models={"a": 4.0}, data_set="2" * 16)
    found = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False)
    table = summary_table(found, (), as_published=False)
    assert [part.title for part in table.parts] == [
        "cells, 4 classes, state 11111111", "cells, 4 classes, state 22222222",
    ]  # fmt: skip
    assert bold_rows(table) == {"mk11/a"}


@pytest.mark.parametrize(
    ("p_holm", "p_bootstrap", "star"),
    [(0.04, 0.04, ("*",)), (0.06, 0.04, ()), (0.04, 0.06, ()), (None, 0.04, ())],
)
def test_a_star_is_a_declared_difference_after_adjustment_in_both_tests(findings, p_holm, p_bootstrap, star):
    compared = [replace(findings.compared[0], p_holm=p_holm, p_holm_bootstrap=p_bootstrap)]
    table = summary_table(replace(findings, compared=compared), (), as_published=False)
    row = dict(zip(table.columns, rows_of(table)["mk11/convnext"], strict=True))
    assert row["F1, macro"].raised == star
    assert row["Accuracy"].raised == ()
    told = [note for note in table.notes if note.startswith("* differs from mk11/vit in F1, macro: p < 0.05")]
    assert bool(told) == bool(star)
    not_shown = [
        note for note in table.notes if note.startswith("No declared difference was shown by both tests")
    ]
    assert bool(not_shown) == (not star and p_holm is not None)


def test_a_comparison_that_was_not_declared_gives_no_star(findings):
    compared = [replace(findings.compared[0], family=None, p_holm=None)]
    table = summary_table(replace(findings, compared=compared), (), as_published=False)
    assert not any(cell.raised == ("*",) for row in rows_of(table).values() for cell in row)


def test_intervals_stand_in_a_column_that_tells_what_was_resampled(findings, tmp_path, found_in):
    table = summary_table(findings, (), as_published=False)
    assert "F1, macro, 95% interval" in table.columns
    assert any(
        "bootstrap over groups (patients, slides or fields)" in note and "3 to draw from" in note
        for note in table.notes
    )
    write_runs(tmp_path, models={"a": 1.0}, folds=range(2), cells=Cells(patients=0))
    found = found_in(tmp_path, cache=tmp_path / "c.json", draws=50)
    unknown = summary_table(found, (), as_published=False)
    assert any("bootstrap over images (no group is known)" in note for note in unknown.notes)


def test_best_validation_epochs_stand_beside_test_figures_and_are_never_bold(findings):
    table = summary_table(findings, published_sources(), as_published=True)
    place = table.columns.index("PR-AUC, as published")
    ours, theirs = rows_of(table)["mk11/vit"], rows_of(table)["ResNet-50"]
    assert not ours[place].bold
    assert ours[place + 1].text.startswith("+")  # the gap
    assert theirs[place].text == "79.75 ± 1.02"
    assert theirs[place - 1].text == "–"  # noqa: RUF001  they have no test figure
