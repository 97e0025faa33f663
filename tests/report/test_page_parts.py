"""What the report's page says, before it is a page."""

import hashlib
import os

import numpy as np
import pandas as pd
import pytest
from page_findings import compared, configuration, findings
from run_folders import write_run, write_runs

from mk11.evaluation.statistics.summary import FoldSummary
from mk11.report.page import closely
from mk11.report.page.classes import across
from mk11.report.page.comparisons import numbers, told
from mk11.report.page.details import details
from mk11.report.page.differences import config_differences
from mk11.report.page.environment import environment_table
from mk11.report.page.facts import data_facts
from mk11.report.page.figures import general, plates
from mk11.report.page.further import further
from mk11.report.page.hardest import PER_KIND, hardest
from mk11.report.page.names import Names
from mk11.report.page.overview import results
from mk11.report.page.runs import grouped, run_table
from mk11.report.page.words import NONE, best_rows, listed, mean_sd, p_value, per_cent, points, several, title
from mk11.report.rows import row_of
from mk11.runs.configurations import group_runs
from mk11.runs.ledger import find_runs
from mk11.runs.pseudonyms import VARIABLE

MINUS = "\N{MINUS SIGN}"
REAL = Names(identify=True)


@pytest.fixture(autouse=True)
def _own_key(monkeypatch):
    monkeypatch.setenv(VARIABLE, "a key of the tests alone")


def over(mean, sd=None, undefined=0):
    return FoldSummary(mean, sd, folds=5, seeds=1, seed_sd=None, values={}, undefined=undefined)


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_figures_are_per_cent_with_two_decimals_as_the_papers_print_them():
    assert mean_sd(over(0.78923, 0.00904)) == "78.92 ± 0.90"
    assert mean_sd(over(0.5)) == "50.00"
    assert mean_sd(over(None)) == mean_sd(None) == NONE
    assert (points(0.021), points(-0.003)) == ("+2.10", f"{MINUS}0.30")
    assert (p_value(0.0004), p_value(0.0304), p_value(None)) == ("< 0.001", "0.030", NONE)
    assert per_cent(-0.01) == f"{MINUS}1.00"
    assert title("recall:MMK") == "Recall of MMK"


def test_words_fit_their_number():
    assert (several(1, "fold"), several(1540, "image")) == ("1 fold", "1,540 images")
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([*"abcdefgh"], 4) == "a, b, c and 5 others"


def test_equal_figures_as_printed_are_equally_best():
    means = {"a": 0.80004, "b": 0.80001, "c": 0.7999}
    assert best_rows(means, dict.fromkeys(means, 1)) == {"a", "b"}


def test_ten_is_more_than_nine():
    assert best_rows({"a": 0.0999, "b": 0.1}, {"a": 1, "b": 1}) == {"b"}


def test_best_is_among_rows_on_the_same_data_and_not_of_one_alone():
    means = {"a": 0.8, "b": 0.7, "c": 0.9, "d": None}
    assert best_rows(means, {"a": 1, "b": 1, "c": 2, "d": 2}) == {"a"}


def test_the_overview_has_the_best_first_and_incomplete_rows_not_bold(tmp_path):
    rows = [configuration(tmp_path, n, level=level) for n, level in enumerate([0.3, 0.6, 0.5])]
    rows.append(configuration(tmp_path, 3, level=0.9, failed={2}))
    table = results(findings(rows))
    assert [row[0].text for row in table.rows] == ["mk11/model3", "mk11/model1", "mk11/model2", "mk11/model0"]
    assert [any(cell.best for cell in row) for row in table.rows] == [False, True, False, False]
    assert table.rows[0][1].text == "4 of 5"
    assert table.columns[2].title == "Macro F1"


def test_the_gap_is_what_the_published_way_adds(tmp_path):
    tables = {table.name: table for table in further([row_of(configuration(tmp_path, 0, level=0.5))])}
    table = tables["published"]
    assert [cell.text for cell in table.rows[0][1:3]] == ["51.20 ± 0.16", "+1.00"]


def test_a_comparison_whose_interval_holds_zero_decides_nothing(tmp_path):
    a, b = configuration(tmp_path, 0), configuration(tmp_path, 1)
    (one,) = told([compared(a, b, difference=0.02, low=-0.01, high=0.05)])
    assert one.verdict == "These folds do not tell them apart"
    assert one.finding == f"Macro F1 +2.00 points (95 % interval {MINUS}1.00 to +5.00)"
    assert "smallest difference that these 5 folds could have detected is 3.10 points" in one.reservations
    assert "Declared in advance (default); Holm-adjusted p 0.300." in one.reservations


@pytest.mark.parametrize(("difference", "word"), [(0.03, "better"), (-0.03, "worse")])
def test_a_comparison_whose_interval_leaves_zero_out_names_the_better(tmp_path, difference, word):
    a, b = configuration(tmp_path, 0), configuration(tmp_path, 1)
    low, high = sorted((difference / 2, difference * 2))
    (one,) = told([compared(a, b, difference=difference, low=low, high=high)])
    assert one.verdict == f"The first is {word}"


def test_what_was_not_declared_comes_last_and_says_so(tmp_path):
    a, b = configuration(tmp_path, 0), configuration(tmp_path, 1)
    both = [compared(b, a, family=None), compared(a, b)]
    assert [one.names[0] for one in told(both)] == [a.label, b.label]
    assert "Not declared in advance" in told(both)[1].reservations
    assert texts(numbers(both))[1][-1] == f"{NONE} not in advance"
    assert texts(numbers(both))[1][7] == NONE


def test_an_interval_of_few_patients_is_called_rough(tmp_path):
    a, b = configuration(tmp_path, 0), configuration(tmp_path, 1)
    (one,) = told([compared(a, b, fewest=3)])
    assert "With only 3 patients in the smallest fold the interval is rough." in one.reservations


def test_configurations_with_other_classes_have_a_table_of_their_own(tmp_path):
    two = configuration(tmp_path, 2, classes=("lymphocyte", "blast"))
    rows = [row_of(c) for c in (configuration(tmp_path, 0), two, configuration(tmp_path, 1))]
    found = across(rows)
    assert [one.classes for one in found] == [("blast", "granular", "naked"), ("lymphocyte", "blast")]
    assert [[len(table.rows) for table in one.tables] for one in found] == [[2, 2], [1, 1]]
    names = [table.name for one in found for table in one.tables]
    assert len(set(names)) == len(names)


def test_only_keys_that_differ_are_listed(tmp_path):
    table = config_differences([configuration(tmp_path, n) for n in range(2)])
    assert texts(table) == [["model", "model0", "model1"]]
    assert config_differences([configuration(tmp_path, 0)]) is None


def test_many_configurations_stand_below_one_another(tmp_path):
    table = config_differences([configuration(tmp_path, n) for n in range(7)])
    assert [column.title for column in table.columns] == ["Configuration", "model"]
    assert texts(table)[6] == ["mk11/model6", "model6"]


def test_runs_show_what_became_of_them(tmp_path):
    one = configuration(tmp_path, 0, failed={4})
    lines = texts(run_table(grouped([one], one.runs), primary="accuracy"))
    assert lines[0] == [
        "fold0", "mk11/model0", "0", "0", "finished", "50.00", "50.00", "50.00", "5.0",
        "x86_64 CPU, 1 threads", "01234567+", "2026-03-01 10:00",
    ]  # fmt: skip
    assert lines[4][4:8] == ["failed", NONE, NONE, NONE]


def test_equal_environments_are_one(tmp_path):
    one, other = configuration(tmp_path, 0), configuration(tmp_path, 1)
    other.runs[0].record["versions"]["torch"] = "2.16.0"
    assert [row[:2] for row in texts(environment_table([*one.runs, *other.runs]))] == [["1", "9"], ["2", "1"]]


def test_details_have_the_end_of_a_long_error_and_the_whole_of_the_lineage(tmp_path):
    failed = write_run(tmp_path, status="failed", record={"lineage": {"encoder": "e1", "selection": "s2"}})
    (failed / "error.txt").write_text("first\n" + "x" * 9000 + "\nlast line")
    runs, _ = find_runs([tmp_path])
    ((_, (one,)),) = details(grouped(group_runs(runs), runs), REAL)
    assert one.error.startswith("...\nxxx")
    assert one.error.endswith("last line")
    assert [value for name, value in one.facts if name == "Lineage"] == ["encoder: e1", "selection: s2"]


def test_the_data_are_told_with_their_patients(tmp_path):
    write_runs(tmp_path, models={"vit": 1.0}, folds=range(2))
    (facts,) = data_facts(group_runs(find_runs([tmp_path])[0]))
    assert facts.name == "cells"
    told_facts = dict(facts.facts)
    assert told_facts["Images"] == "205"
    groups = {
        group
        for path in tmp_path.rglob("predictions.parquet")
        for group in pd.read_parquet(path, columns=["group"])["group"]
    }
    assert told_facts["Patients"] == f"{len(groups)} (or slides, or fields)"


def test_the_hardest_images_are_the_worst_of_all_folds_and_none_is_shown_twice(tmp_path):
    write_runs(tmp_path, models={"vit": 0.5}, folds=range(3), seeds=(0, 1), hardest=True)
    (one,) = group_runs(find_runs([tmp_path])[0])
    ((found,), problems) = hardest([one], REAL)
    tables = [pd.read_parquet(run.folder.hardest).assign(fold=str(run.fold)) for run in one.finished]
    rows = pd.concat(tables)
    by_loss = sorted(rows[rows["why"] == "loss"].to_dict("records"), key=lambda row: -row["loss"])
    expected = list(dict.fromkeys(row["id"] for row in by_loss))[:PER_KIND]
    assert problems == []
    assert [crop.image for crop in found.loss] == expected
    assert len(found.confident) == PER_KIND
    assert not {crop.image for crop in found.confident} & set(expected)
    assert all(crop.true != crop.predicted for crop in found.confident)
    wrong = rows[(rows["why"] == "confident") & ~rows["id"].isin(expected)]
    best = wrong.groupby("id")["probability"].max().nlargest(PER_KIND).index
    assert {crop.image for crop in found.confident} == set(best)


def test_an_image_hard_for_others_too_says_for_how_many(tmp_path):
    write_runs(tmp_path, models={"vit": 0.5, "vgg": 0.5}, folds=range(1), hardest=True)
    both, _ = hardest(group_runs(find_runs([tmp_path])[0]), REAL)
    listed_in = [{crop.image for crop in (*one.loss, *one.confident)} for one in both]
    for one, others in zip(both, listed_in[::-1], strict=True):
        for crop in (*one.loss, *one.confident):
            assert crop.others == (crop.image in others)


@pytest.mark.parametrize("damage", ["no parquet", "no picture"])
def test_damaged_thumbnails_are_told_and_the_rest_is_shown(tmp_path, damage):
    write_runs(tmp_path, models={"vit": 1.0}, folds=range(2), hardest=True)
    (one,) = group_runs(find_runs([tmp_path])[0])
    path = one.finished[0].folder.hardest
    if damage == "no parquet":
        path.write_bytes(b"PAR1 not really")
    else:
        pd.read_parquet(path).assign(thumbnail=b"<svg onload='alert(1)'/>").to_parquet(path, index=False)
    (found,), (problem,) = hardest([one], REAL)
    assert found.runs == 1
    assert str(path) in problem


def test_names_of_images_in_sentences_are_replaced_and_the_rest_stays():
    hidden = Names(identify=False)
    text = "leak: 'MMK/patient 7/0012.png' and /data/x/CELL_3.TIFF (test) in fold 2, see run.json"
    shown = hidden.sentence(text)
    assert "0012.png" not in shown
    assert "CELL_3" not in shown
    assert "patient 7" not in shown
    assert shown.endswith("(test) in fold 2, see run.json")
    assert Names(identify=True).sentence(text) == text
    assert hidden.patient("") == ""


def test_figures_stand_with_their_configuration_or_with_all(tmp_path):
    one, other = configuration(tmp_path, 0), configuration(tmp_path, 1)
    names = ["overview", f"difference-{one.key}-{other.key}", f"confusion-{one.key}", "class_size-2", "odd"]
    figures = {name: tmp_path / f"{name}.svg" for name in names}
    captions = {picture.path.stem: picture.caption for picture in general(figures, [one, other])}
    assert list(captions) == ["overview", f"difference-{one.key}-{other.key}", "class_size-2", "odd"]
    assert (
        captions[f"difference-{one.key}-{other.key}"]
        == f"Confusion of {one.label} less that of {other.label}."
    )
    (plate,) = plates(figures, [one, other])
    assert plate.configuration is one
    assert one.label in plate.pictures[0].words


def test_compared_rows_and_the_best_are_shown_closely(tmp_path):
    many = [configuration(tmp_path, n, level=0.3 + n / 100) for n in range(20)]
    close = {row.label for row in closely(findings(many, compared=[compared(many[0], many[1])]))}
    assert len(close) == 8
    assert {"mk11/model0", "mk11/model1", "mk11/model19", "mk11/model14"} <= close


def test_anchors_differ_between_runs_and_stay_from_page_to_page(tmp_path):
    one = configuration(tmp_path, 0)
    links = [row[0].link for row in run_table(grouped([one], one.runs), primary="accuracy").rows]
    path = os.fsencode(one.runs[0].folder.path)
    assert len(set(links)) == 5
    assert links[0] == f"run-{hashlib.blake2b(path, digest_size=6).hexdigest()}"
    assert np.all([link.isascii() for link in links])
