"""What a fold's fingerprint sees, and the order of its rows."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

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
