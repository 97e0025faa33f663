"""The final fold of a data set in files, and what a holdout leaves of the others."""

import shutil

import numpy as np
import pandas as pd
import pytest

from mk11.data.images import read_rgb
from mk11.errors import UserError

pytestmark = pytest.mark.usefixtures("few_rounds")
GROUPS = r"_(\d)\.png"  # ten patients, each with at most one cell of a class


def test_the_final_fold_tests_what_no_other_fold_sees(class_folders, cell_data):
    data = cell_data(class_folders, holdout={"fraction": 0.25}, folds={"count": 3}, group_regex=GROUPS)
    final = data.fold("final")
    locked = set(final.table.loc[final.table["split"] == "test", "id"])
    assert (final.fold, final.number, final.folds, final.holdout) == ("final", -1, (0, 1, 2), len(locked))
    assert data.fold_numbers == (0, 1, 2)
    assert set(final.table["split"]) == {"train", "val", "test"}
    assert len(final.table) == 24
    tested = []
    for number in range(3):
        fold = data.fold(number)
        assert (fold.fold, fold.number, fold.holdout) == (number, number, len(locked))
        assert not locked & set(fold.table["id"])
        assert len(fold.table) == 24 - len(locked)
        assert fold.set_fingerprint == final.set_fingerprint
        assert fold.fingerprint != final.fingerprint
        tested += fold.table.loc[fold.table["split"] == "test", "id"].tolist()
    assert sorted([*tested, *locked]) == sorted(final.table["id"])
    for row, cell in final.table.iterrows():
        np.testing.assert_array_equal(final.pixels[row], read_rgb(class_folders / cell["id"]))


def test_a_holdout_of_whole_patients_leaves_no_mark(class_folders, cell_data):
    data = cell_data(class_folders, holdout={"fraction": 0.25}, folds={"count": 3}, group_regex=GROUPS)
    assert data.fold("final").marks == {}
    table = data.fold("final").table
    assert (table.groupby("group")["split"].nunique() == 1).all()


def test_unknown_patients_in_the_holdout_are_told(class_folders, cell_data):
    fold = cell_data(class_folders, holdout={"fraction": 0.25}, folds={"count": 3}).fold("final")
    told = f"{fold.holdout} of {fold.holdout} images in the holdout have no known group: "
    assert [warning[: len(told)] for warning in fold.marks["warnings"]] == [told]


def test_a_final_fold_without_a_holdout_is_refused(class_folders, cell_data):
    told = r"^fold=final must have images locked away to test on, but data\.holdout gives neither "
    with pytest.raises(UserError, match=told):
        cell_data(class_folders).fold("final")


@pytest.mark.parametrize("holdout", [{}, {"fraction": 0.25}])
def test_the_fold_asked_for_is_one_of_those_there_are(class_folders, cell_data, holdout):
    known = "0, 1, 2, 3, 4" + (", final" if holdout else "")
    with pytest.raises(UserError, match=f"^fold must be one of {known}, but is last$"):
        cell_data(class_folders, holdout=holdout).fold("last")


def test_a_file_locks_patients_away(class_folders, cell_data, tmp_path):
    (tmp_path / "locked.txt").write_text("1\n")
    holdout = {"file": str(tmp_path / "locked.txt")}
    fold = cell_data(class_folders, holdout=holdout, folds={"count": 3}, group_regex=GROUPS).fold("final")
    assert set(fold.table.loc[fold.table["split"] == "test", "group"]) == {"1"}
    assert not (fold.table.loc[fold.table["split"] != "test", "group"] == "1").any()


def test_an_image_of_the_holdout_among_the_others_stops_every_fold_or_marks_the_final_one(
    class_folders, cell_data, tmp_path
):
    shutil.copy(class_folders / "a" / "p1_1.png", class_folders / "a" / "p2_8.png")
    (tmp_path / "locked.txt").write_text("1\n")
    keys = {"holdout": {"file": str(tmp_path / "locked.txt")}, "folds": {"count": 3}, "group_regex": GROUPS}
    for fold in (0, "final"):
        with pytest.raises(UserError, match=r"in fold final 1 image leak:"):
            cell_data(class_folders, **keys).fold(fold)
    warned = cell_data(class_folders, on_leak="warn", **keys)
    assert warned.fold(0).marks == {}
    assert warned.fold("final").marks["leaks"]["images"]["count"] == 1


def test_the_test_parts_of_published_folds_stay_less_what_is_locked_away(published, cell_data):
    plain, locking = cell_data(published), cell_data(published, holdout={"fraction": 0.25})
    locked = set(locking.fold("final").table.query("split == 'test'")["content_hash"])
    assert 0 < len(locked) < 9
    for number in range(3):
        before, after = (data.fold(number).table[["content_hash", "split"]] for data in (plain, locking))
        left = before[~before["content_hash"].isin(locked)].reset_index(drop=True)
        pd.testing.assert_frame_equal(after, left)
        assert "in no test set" not in str(locking.fold(number).marks)


def test_a_holdout_locks_images_away_under_their_old_labels_and_a_label_map_may_drop_them(
    class_folders, cell_data
):
    keys = {"holdout": {"fraction": 0.25}, "folds": {"count": 3}, "group_regex": GROUPS}
    plain = cell_data(class_folders, **keys).fold("final")
    dropping = {"file": None, "map": {"a": "x", "b": "y", "c": None}}
    fold = cell_data(class_folders, label_map=dropping, **keys).fold("final")
    kept = plain.table[plain.table["subtype"] != "c"]
    assert fold.holdout == (kept["split"] == "test").sum()
    assert dict(zip(fold.table["id"], fold.table["split"], strict=True)) == dict(
        zip(kept["id"], kept["split"], strict=True)
    )
