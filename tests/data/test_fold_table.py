"""What a fold's fingerprint sees, and the order of its rows."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mk11.data.fold_table import set_fingerprint
from mk11.data.images import read_rgb

pytestmark = pytest.mark.usefixtures("few_rounds")


def test_the_fingerprint_does_not_see_where_files_lie(class_folders, tmp_path, cell_data):
    first = cell_data(class_folders).fold(0).fingerprint
    moved = tmp_path / "elsewhere" / "moved"
    shutil.copytree(class_folders, moved, ignore=shutil.ignore_patterns(".mk11"))
    for file in moved.glob("*/*.png"):
        file.rename(file.with_name(f"x{hash(file.name) % 1000}{file.name}"))
    assert cell_data(moved, cache=False).fold(0).fingerprint == first
    assert len(first) == 16


def test_fingerprints_are_those_that_runs_were_made_with(class_folders, published, cell_data):
    """Stored before there was a holdout: runs made then must be found again."""
    drawn = cell_data(class_folders)
    assert [drawn.fold(number).fingerprint for number in (0, 3)] == ["0a659802a96e8dd8", "3f6de8f94cf532f5"]
    grouped = cell_data(class_folders, group_regex=r"/(p\d)_", folds={"count": 4})
    assert grouped.fold(1).fingerprint == "2a16d832bd16dd74"
    assert cell_data(published).fold(2).fingerprint == "0f6c8249923edf31"


def test_all_folds_have_one_set_fingerprint_whatever_files_are_called(class_folders, tmp_path, cell_data):
    holdout = {"fraction": 0.25}
    for change in ({}, {"holdout": holdout}):
        data = cell_data(class_folders, **change)
        (one,) = {data.fold(number).set_fingerprint for number in data.fold_numbers}
        moved = tmp_path / f"moved{len(change)}"
        shutil.copytree(class_folders, moved, ignore=shutil.ignore_patterns(".mk11"))
        for number, file in enumerate(sorted(moved.glob("*/*.png"), reverse=True)):
            file.rename(file.with_name(f"{number:03d}.png"))
        assert cell_data(moved, **change).fold(0).set_fingerprint == one
        assert len(one) == 16


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_the_set_fingerprint_sees_each_value_but_no_order_and_no_name(data):
    images = pd.DataFrame(
        {
            "id": [f"{row}.png" for row in range(6)],
            "content_hash": [f"h{row % 4}" for row in range(6)],
            "subtype": list("aabbab"),
            "group": ["p", "", "q", "q", "p", ""],
            "um_per_pixel": [0.25, np.nan] * 3,
        }
    )
    splits = pd.DataFrame({0: ["test", "train", "val"] * 2, 1: ["train", "test", ""] * 2})
    expected = set_fingerprint(images, splits)
    order = data.draw(st.permutations(range(6)))
    renamed = images.iloc[order].assign(id="x")
    assert set_fingerprint(renamed, splits) == expected
    row = data.draw(st.integers(0, 5))
    column = data.draw(st.sampled_from(["content_hash", "subtype", "group", "um_per_pixel", 0, 1]))
    changed, moved = images.copy(), splits.copy()
    table = moved if isinstance(column, int) else changed
    table.loc[row, column] = 0.5 if column == "um_per_pixel" else "other"
    assert set_fingerprint(changed, moved) != expected
    assert set_fingerprint(images, splits.rename(columns={1: 2})) != expected


@pytest.mark.parametrize(
    "change",
    [
        {"um_per_pixel": 0.25},
        {"group_regex": r"p\d_(\d)"},
        {"label_map": {"file": None, "map": {"a": "A", "b": "b", "c": "c"}}},
        {"label_map": {"file": None, "map": {"a": "a", "b": "b", "c": None}}},
        {"folds": {"seed": 1}},
        {"folds": {"count": 4}},
        {"folds": {"val_fraction": 0.4}},
        {"holdout": {"fraction": 0.25}},
    ],
)
def test_the_set_fingerprint_sees_whatever_makes_other_folds(class_folders, cell_data, change):
    before = cell_data(class_folders).fold(0).set_fingerprint
    assert cell_data(class_folders, **change).fold(0).set_fingerprint != before


def test_rows_follow_contents_so_that_other_names_train_in_the_same_order(class_folders, tmp_path, cell_data):
    first = cell_data(class_folders).fold(0).table
    renamed = tmp_path / "renamed"
    shutil.copytree(class_folders, renamed, ignore=shutil.ignore_patterns(".mk11"))
    for number, file in enumerate(sorted(renamed.glob("*/*.png"), reverse=True)):
        file.rename(file.with_name(f"{number:03d}.png"))
    second = cell_data(renamed).fold(0)
    compared = ["content_hash", "subtype", "split"]
    pd.testing.assert_frame_equal(first[compared], second.table[compared])
    assert second.fingerprint == cell_data(class_folders).fold(0).fingerprint
    assert list(first["id"]) != list(second.table["id"])
    for row, path in enumerate(second.table["path"]):
        np.testing.assert_array_equal(second.pixels[row], read_rgb(Path(path)))


@pytest.mark.parametrize(
    "change",
    [
        {"um_per_pixel": 0.25},
        {"group_regex": r"p\d_(\d)"},
        {"label_map": {"file": None, "map": {"a": "A", "b": "b", "c": "c"}}},
        {"folds": {"seed": 1}},
    ],
)
def test_the_fingerprint_sees_scale_groups_labels_and_splits(class_folders, cell_data, change):
    plain, changed = cell_data(class_folders), cell_data(class_folders, **change)
    assert (
        changed.fold(0).fingerprint
        != plain.fold(0).fingerprint
        == cell_data(class_folders).fold(0).fingerprint
    )


def test_the_fingerprint_sees_folds_and_pixels(class_folders, cell_data, save):
    data = cell_data(class_folders)
    before = data.fold(0).fingerprint
    assert data.fold(1).fingerprint != before
    save(class_folders / "a" / "p0_0.png", 999)
    assert cell_data(class_folders).fold(0).fingerprint != before
