import pytest
from run_folders import Cells, write_runs

from mk11.report.published import class_order, published_sources
from mk11.report.tables.classes import class_tables, group_tables
from mk11.report.tables.contest import best_of

MK11 = ("MK-blast", "Pro-MK", "G-MK", "PP-MK", "NN-MK", "N-MK", "S-MK", "MMK", "MN-MK", "HL-MK", "CA-MK")


def test_classes_of_mk11_stand_above_the_papers_under_whatever_names(tmp_path, found_in):
    cells = Cells(classes=MK11, images=(10,) * 11)
    write_runs(tmp_path, models={"a": 2.0}, folds=range(2), cells=cells)
    found = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False)
    (table,) = class_tables(found, published_sources())
    row = next(row for part in table.parts for row in part.rows if row[0].text == "MAE")
    figures = dict(zip(table.columns, (cell.text for cell in row), strict=True))
    assert figures["MK-blast"] == "98.53 ± 1.05"  # P-MK of the paper
    assert figures["CA-MK"] == "70.54 ± 8.09"
    assert figures["HL-MK"] == "77.20 ± 5.45"


def test_other_classes_get_no_published_rows(findings):
    (table,) = class_tables(findings, published_sources())
    assert [part.title for part in table.parts] == [None, None]


def test_two_classes_of_ours_are_never_one_of_theirs():
    assert class_order(["A", "P-MK"], {"P-MK": 1}) is None
    assert class_order(["A"], {"P-MK": 1}) == {"A": "P-MK"}


def test_test_images_are_counted_once_over_folds_and_seeds(findings):
    (table,) = class_tables(findings, ())
    assert [cell.text for cell in table.parts[0].rows[0]][-4:] == ["90", "60", "40", "15"]


def test_members_of_the_groups_are_told(findings):
    (table,) = group_tables(findings)
    assert "head: blast" in table.notes
    assert "medium: granular, naked" in table.notes


def test_what_the_groups_are_cut_by_is_told(findings, tmp_path, found_in):
    assert "by their number of training images;" in group_tables(findings)[0].notes[0]
    write_runs(tmp_path, models={"a": 1.0}, folds=range(2))
    (table,) = group_tables(found_in(tmp_path, cache=tmp_path / "c.json", intervals=False))
    assert "by their number of test images;" in table.notes[0]
    assert table.notes[1].startswith("Test images stand for training images")


def test_figures_that_print_alike_are_both_best(findings):
    values = {findings.rows[0].configuration.key: 0.700011, findings.rows[1].configuration.key: 0.700049}
    assert best_of(findings.rows, lambda row: values[row.configuration.key]) == set(values)


def test_a_row_alone_is_not_the_best_of_anything(findings):
    assert best_of(findings.rows[:1], lambda _: 0.5) == set()


@pytest.mark.parametrize("measure", ["recall", "f1", "pr_auc"])
def test_a_group_is_the_mean_of_its_classes(findings, measure):
    row = findings.rows[0]
    mean = sum(row.per_class[name][measure].mean for name in ("granular", "naked")) / 2
    assert row.groups["medium"][measure].mean == pytest.approx(mean)
