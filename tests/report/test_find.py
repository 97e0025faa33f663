import json
import shutil

import pytest
from run_folders import Cells, write_run, write_runs

from mk11.errors import UserError
from mk11.report import find as report_find
from mk11.report import measured


def test_rows_are_what_has_finished_and_the_rest_is_told_as_missing(findings):
    assert [row.label for row in findings.rows] == ["mk11/convnext", "mk11/vit"]
    assert findings.missing == [
        "mk11/vit lacks fold 2 seed 1",
        "mk11/vgg lacks fold 0 seed 0 (running), fold 1 seed 0 (failed), fold 2 seed 0, fold 3 seed 0, "
        "fold 4 seed 0",
    ]


def test_seeds_are_averaged_within_their_fold_and_their_spread_stands_apart(findings):
    summary = findings.rows[0].summaries["accuracy"]
    assert (summary.folds, summary.seeds) == (5, 2)
    assert summary.seed_sd is not None
    assert len(summary.values) == 5


def test_the_interval_is_of_the_primary_metric_and_about_the_rows_mean(findings):
    for row in findings.rows:
        assert list(row.intervals) == [findings.primary] == ["f1_macro"]
        assert row.intervals["f1_macro"].estimate == pytest.approx(row.summaries["f1_macro"].mean)
        assert row.intervals["f1_macro"].unit == "group"


def test_runs_of_other_stages_are_no_rows(tmp_path, found_in):
    write_run(tmp_path, fold=0)
    write_run(tmp_path, fold=1, stage="pretrain")
    found = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False)
    assert [run.record["stage"] for run in found.runs] == ["train"]


def test_folders_without_runs_are_refused(tmp_path, found_in):
    with pytest.raises(UserError, match="must hold run folders"):
        found_in(tmp_path, cache=tmp_path / "c.json")


def test_a_damaged_run_is_told_and_the_others_are_reported(tmp_path, found_in):
    path = write_run(tmp_path, fold=0)
    (write_run(tmp_path, fold=1) / "run.json").write_text("{")
    found = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False)
    assert [run.folder.path for run in found.runs] == [path]
    assert len(found.problems) == 1


def test_the_results_that_take_long_come_from_the_cache_the_second_time(
    matrix, tmp_path, monkeypatch, found_in
):
    cache = tmp_path / "c.json"
    first = found_in(matrix, cache=cache, draws=50)

    def fail(*_, **__):
        raise AssertionError("computed again")

    for name in ("interval", "compare", "calibration_of", "load_folds"):
        monkeypatch.setattr(measured, name, fail)
    second = found_in(matrix, cache=cache, draws=50)
    assert [row.intervals for row in second.rows] == [row.intervals for row in first.rows]
    assert [row.calibration for row in second.rows] == [row.calibration for row in first.rows]
    assert [one.result for one in second.compared] == [one.result for one in first.compared]


def test_other_predictions_or_draws_are_computed_anew(tmp_path, found_in):
    runs, cache = tmp_path / "runs", tmp_path / "c.json"
    paths = write_runs(runs, models={"vit": 1.0}, folds=range(2))
    first = found_in(runs, cache=cache, draws=50).rows[0].intervals["f1_macro"]
    assert found_in(runs, cache=cache, draws=60).rows[0].intervals["f1_macro"].draws == 60
    other = write_runs(tmp_path / "other", models={"vit": 2.5}, folds=range(2))
    shutil.copy(other[0] / "predictions.parquet", paths[0] / "predictions.parquet")
    assert found_in(runs, cache=cache, draws=50).rows[0].intervals["f1_macro"].estimate > first.estimate


def test_a_damaged_cache_is_begun_anew(tmp_path, found_in):
    write_runs(tmp_path / "runs", models={"vit": 1.0}, folds=range(2))
    cache = tmp_path / "c.json"
    cache.write_text("{ damaged")
    assert found_in(tmp_path / "runs", cache=cache, draws=50).rows[0].intervals
    assert json.loads(cache.read_text())


def test_without_intervals_no_predictions_are_read(tmp_path, found_in):
    for path in write_runs(tmp_path / "runs", models={"vit": 1.0}, folds=range(2)):
        (path / "predictions.parquet").unlink()
    found = found_in(tmp_path / "runs", cache=tmp_path / "c.json", intervals=False)
    assert found.rows[0].summaries["accuracy"].folds == 2
    assert not found.rows[0].calibration
    assert not (tmp_path / "c.json").exists()


def test_a_run_without_predictions_has_a_row_and_a_warning(tmp_path, found_in):
    for path in write_runs(tmp_path / "runs", models={"vit": 1.0}, folds=range(2)):
        (path / "predictions.parquet").unlink()
    found = found_in(tmp_path / "runs", cache=tmp_path / "c.json")
    assert not found.rows[0].intervals
    assert any("mk11/vit has no interval" in warning for warning in found.warnings)


def test_states_of_the_data_are_rows_of_their_own_with_a_warning(tmp_path, found_in):
    write_runs(tmp_path, models={"vit": 1.0}, folds=range(2), data_set="a" * 16)
    write_runs(tmp_path, models={"vit": 1.0}, folds=range(2), data_set="b" * 16)
    found = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False)
    assert [row.summaries["accuracy"].folds for row in found.rows] == [2, 2]
    assert any("2 states of the data" in warning for warning in found.warnings)


def test_old_runs_on_data_of_other_sizes_are_not_averaged(tmp_path, found_in):
    write_runs(tmp_path, models={"vit": 1.0}, folds=range(2), old=True)
    write_runs(tmp_path, models={"vit": 1.0}, folds=range(2), old=True, cells=Cells(images=(80, 60, 40, 15)))
    found = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False)
    assert {row.label for row in found.rows} == {"mk11/vit [195 images]", "mk11/vit [205 images]"}
    assert [row.summaries["accuracy"].folds for row in found.rows] == [2, 2]


def test_of_old_runs_with_other_images_in_a_fold_the_newest_count(tmp_path, found_in):
    write_run(tmp_path, model="vit", old=True, seed=0, record={"ended": "2026-01-01T00:00:00+00:00"})
    newer = write_run(tmp_path, model="vit", old=True, seed=1, cells=Cells(seed=5))
    found = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False)
    (row,) = found.rows
    assert [run.folder.path for run in row.configuration.finished] == [newer]
    assert any("is left out, since a newer run of its fold 0" in warning for warning in found.warnings)


def test_a_final_run_is_no_sixth_fold(tmp_path, found_in):
    write_runs(tmp_path, models={"vit": 1.0})
    before = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False).rows[0]
    write_run(tmp_path, model="vit", fold="final", quality=5.0)
    after = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False).rows[0]
    assert after.summaries == before.summaries
    assert after.folds == (0, 1, 2, 3, 4)
    assert after.final["accuracy"] > before.summaries["accuracy"].mean


def tell(path, **fields):
    """Set fields of run.json."""
    record = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(record | fields))


def test_marks_are_told_with_their_folds_and_without_names_of_images(tmp_path, found_in):
    leak = {"leaks": {"groups": {"count": 1, "first": [["a.png (train)", "b.png (test)"]]}}}
    tell(write_run(tmp_path, fold=0, marks=leak), tuned="hparams")
    write_run(tmp_path, fold=1)
    (row,) = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False).rows
    assert row.marks == [
        "leak: groups on two sides of the split (fold 0)",
        "tuned on the same folds (by hparams)",
    ]


def test_a_final_run_is_not_marked_as_tuned_on_folds_that_it_does_not_test(tmp_path, found_in):
    tell(write_run(tmp_path, fold=0), tuned="hparams")
    leak = {"leaks": {"groups": {"count": 1, "first": []}}}
    tell(write_run(tmp_path, fold="final", marks=leak), tuned="hparams")
    found = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False)
    (row,) = found.rows
    assert row.marks == ["tuned on the same folds (by hparams)"]
    assert row.final_marks == ["leak: groups on two sides of the split"]
    assert f"{row.label}, on the images locked away: {row.final_marks[0]}" in found.warnings


def test_declared_comparisons_that_are_left_out_are_told(matrix, tmp_path, found_in):
    found = found_in(matrix, cache=tmp_path / "c.json", intervals=False)
    assert found.compared == []
    assert (
        "3 comparisons that the analysis default declares were not made, as --no-intervals leaves them out"
        in found.warnings
    )


def test_of_very_many_rows_only_those_that_are_compared_get_an_interval(tmp_path, found_in, monkeypatch):
    monkeypatch.setattr(report_find, "MOST_INTERVALS", 2)
    write_runs(tmp_path, models={"a": 1.0, "b": 2.0, "c": 3.0}, folds=range(2))
    found = found_in(tmp_path, cache=tmp_path / "c.json", compare=["a", "c"], draws=20)
    assert {row.configuration.model: bool(row.intervals) for row in found.rows} == {
        "a": True, "b": False, "c": True,
    }  # fmt: skip
    assert all(row.calibration for row in found.rows)
    assert any(
        "3 configurations, more than 2: intervals are made only for the 2" in w for w in found.warnings
    )
    monkeypatch.setattr(report_find, "MOST_INTERVALS", 3)
    found = found_in(tmp_path, cache=tmp_path / "c.json", draws=20)
    assert all(row.intervals for row in found.rows)
