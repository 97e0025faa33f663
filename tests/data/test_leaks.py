import pandas as pd
import pytest

from mk11.data.leaks import check_coverage, check_leaks, check_splits, on_two_sides, resolve_conflicts
from mk11.errors import UserError


@pytest.fixture
def clean(table):
    rows = [
        (f"h{row}", "ab"[row % 2], f"p{row // 2}", split)
        for row, split in enumerate(["train", "val", "test"] * 2)
    ]
    return table(*[(name, subtype, "", split) for name, subtype, _, split in rows])


def test_a_clean_fold_carries_no_mark(clean):
    assert check_leaks(clean, on_leak="stop", fold=0) == {}
    assert resolve_conflicts(clean, on_conflict="drop")[1] == {}


def test_equal_images_on_two_sides_stop_the_run_and_are_named(table):
    leaking = table(("h", "a", "", "train"), ("h", "a", "", "test"), ("i", "b", "", "val"))
    told = r"in fold 2 1 image leak:\n  image0\.png \(train\) and image1\.png \(test\)\n\(data\.on_leak=warn"
    with pytest.raises(UserError, match=told):
        check_leaks(leaking, on_leak="stop", fold=2)


def test_a_patient_on_two_sides_stops_the_run(table):
    leaking = table(
        ("h", "a", "p1", "val"), ("i", "a", "p1", "test"), ("j", "a", "", "train"), ("k", "a", "", "val")
    )
    with pytest.raises(UserError, match=r"1 group leak"):
        check_leaks(leaking, on_leak="stop", fold=0)


def test_going_on_leaves_a_mark_with_the_count_and_the_first_ten(table):
    leaking = table(*[(f"h{row // 2:02d}", "a", "", ["train", "test"][row % 2]) for row in range(24)])
    mark = check_leaks(leaking, on_leak="warn", fold=0)
    assert mark["images"]["count"] == 12
    assert len(mark["images"]["first"]) == 10
    assert mark["images"]["first"][0] == ["image0.png (train)", "image1.png (test)"]
    assert "groups" not in mark


def test_pairs_are_those_a_loop_finds(table):
    frame = table(
        *[
            (f"h{row % 5}", "a", f"p{row % 3}" if row % 4 else "", ["train", "val", "test"][row % 7 % 3])
            for row in range(30)
        ]
    )
    for column in ("content_hash", "group"):
        expected = {
            name
            for name in set(frame[column]) - {""}
            if frame.loc[frame[column] == name, "split"].nunique() > 1
        }
        assert {name for name, _, _ in on_two_sides(frame, column)} == expected


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_an_empty_part_is_named(clean, split):
    with pytest.raises(UserError, match=f"the {split} part of fold 1 holds none"):
        check_splits(clean[clean["split"] != split], ("a", "b"), 1)


def test_a_class_missing_from_training_is_named(clean):
    with pytest.raises(UserError, match="each class must be in training, but c is not in that of fold 1"):
        check_splits(clean, ("a", "b", "c"), 1)
    check_splits(clean, ("a", "b"), 1)


def test_published_test_sets_must_be_disjoint_and_cover_everything(clean):
    covering = pd.DataFrame({0: ["test"] * 3 + ["train"] * 3, 1: ["train"] * 3 + ["test"] * 3})
    assert check_coverage(clean, covering, on_leak="stop") == []
    lacking = pd.DataFrame({0: ["test"] * 3 + ["train"] * 3, 1: ["train"] * 2 + ["test"] * 2 + ["train"] * 2})
    assert check_coverage(clean, lacking, on_leak="warn") == [
        "1 of 6 images are in the test sets of several folds",
        "2 of 6 images are in no test set",
    ]
    with pytest.raises(UserError, match="must be disjoint and cover everything, but 1 of 6 images"):
        check_coverage(clean, lacking, on_leak="stop")


def test_one_published_fold_promises_no_coverage(clean):
    assert check_coverage(clean, pd.DataFrame({0: clean["split"]}), on_leak="stop") == []


@pytest.mark.parametrize(("policy", "left"), [("keep", 4), ("drop", 2)])
def test_images_under_two_labels_are_kept_or_all_dropped_and_recorded(table, policy, left):
    frame = table(
        ("h", "a", "", "train"), ("h", "b", "", "train"), ("i", "a", "", "train"), ("i", "a", "", "train")
    )
    kept, mark = resolve_conflicts(frame, on_conflict=policy)
    assert len(kept) == left
    assert mark == {"policy": policy, "count": 1, "first": [["image0.png (a)", "image1.png (b)"]]}
