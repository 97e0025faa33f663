import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mk11.data.cells import CellData, DrawnCells
from mk11.data.images import read_rgb
from mk11.errors import UserError

pytestmark = pytest.mark.usefixtures("few_rounds")
COLUMNS = {
    "id", "path", "subtype", "label", "group", "source", "width", "height", "um_per_pixel", "content_hash",
    "split",
}  # fmt: skip


def test_a_fold_is_a_table_and_the_decoded_image_of_each_row(class_folders, cell_data):
    fold = cell_data(class_folders, um_per_pixel=0.25).fold(1)
    assert set(fold.table) == COLUMNS
    assert fold.classes == ("a", "b", "c")
    assert len(fold.table) == len(fold.pixels) == 24
    assert fold.marks == {}
    for row, cell in fold.table.iterrows():
        assert fold.classes[cell["label"]] == cell["subtype"] == cell["id"].split("/")[0]
        assert cell["um_per_pixel"] == 0.25
        assert cell["source"] == "test"
        np.testing.assert_array_equal(fold.pixels[row], read_rgb(class_folders / cell["id"]))


def test_every_fold_of_five_tests_other_images(class_folders, cell_data):
    data = cell_data(class_folders)
    tested = pd.concat([data.fold(number).table.query("split == 'test'") for number in range(5)])
    assert sorted(tested["id"]) == sorted(data.fold(0).table["id"])


@pytest.mark.parametrize("fold", [7, 5, -1])
def test_a_fold_that_does_not_exist_is_refused(class_folders, cell_data, fold):
    with pytest.raises(UserError, match=f"fold must be one of 0, 1, 2, 3, 4, but is {fold}"):
        cell_data(class_folders).fold(fold)


@pytest.mark.parametrize("key", ["on_leak", "on_conflict", "on_bad_image"])
def test_an_unknown_policy_is_refused(class_folders, cell_data, key):
    with pytest.raises(UserError, match=rf"data\.{key} must be one of .*, but is maybe"):
        cell_data(class_folders, **{key: "maybe"}).fold(0)


@pytest.mark.parametrize("value", ["abc", 0, -0.1, float("nan"), True])
@pytest.mark.parametrize("key", ["um_per_pixel", "target_um_per_pixel"])
def test_a_scale_is_a_number_above_zero(class_folders, cell_data, key, value):
    with pytest.raises(UserError, match=rf"^data\.{key} must be a number above 0, but is {value}$"):
        cell_data(class_folders, **{key: value})


@pytest.mark.parametrize("threads", ["abc", 0, 1.5])
def test_threads_are_a_whole_number(class_folders, cell_data, threads):
    told = rf"^data\.threads must be a whole number of at least 1, but is {threads}$"
    with pytest.raises(UserError, match=told):
        cell_data(class_folders, threads=threads)


@pytest.mark.parametrize("key", ["columns", "folds"])
@pytest.mark.parametrize("value", ["abc", None, {}])
def test_keys_of_keys_are_all_there(shipped, class_folders, key, value):
    with pytest.raises(UserError, match=rf"^data\.{key} must give \w+, .*, but is "):
        CellData(**shipped | {"root": class_folders, key: value})


@pytest.mark.parametrize("key", ["count", "seed", "val_fraction"])
@pytest.mark.parametrize("value", ["abc", -0.5, None])
def test_folds_take_numbers(class_folders, cell_data, key, value):
    with pytest.raises(UserError, match=rf"^data\.folds\.{key} must be a .*number .*, but is {value}$"):
        cell_data(class_folders, folds={key: value})


def test_names_that_yaml_reads_as_numbers_are_names(class_folders, cell_data, monkeypatch):
    monkeypatch.chdir(class_folders.parent)
    class_folders.rename("2024")
    fold = cell_data(2024, name=7).fold(0)
    assert len(fold.table) == 24
    assert set(fold.table["source"]) == {"7"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"scale": "big"}, "data.scale must be a number above 0, but is big"),
        ({"seed": 0.5}, "data.seed must be a whole number of at least 0, but is 0.5"),
    ],
)
def test_drawn_cells_take_numbers(shipped, tmp_path, change, told):
    keys = shipped | {"root": tmp_path, "scale": 0.5, "seed": 0, "generate": print} | change
    with pytest.raises(UserError) as error:
        DrawnCells(**keys)
    assert str(error.value) == told


def test_paths_hold_wherever_the_command_runs(class_folders, cell_data, monkeypatch, tmp_path):
    monkeypatch.chdir(class_folders.parent)
    fold = cell_data("cells", cache=False).fold(0)
    monkeypatch.chdir(tmp_path)
    assert all(Path(path).is_absolute() for path in fold.table["path"])
    assert fold.pixels[0].size > 0


def test_without_a_cache_the_pixels_are_the_same(class_folders, cell_data):
    cached, decoded = (cell_data(class_folders, cache=cache).fold(0) for cache in (True, False))
    for row in range(24):
        np.testing.assert_array_equal(cached.pixels[row], decoded.pixels[row])


def test_groups_from_paths_are_kept_whole(class_folders, cell_data):
    table = cell_data(class_folders, group_regex=r"/(p\d)_", folds={"count": 4}).fold(0).table
    assert set(table["group"]) == {"p0", "p1", "p2", "p3"}
    assert (table.groupby("group")["split"].nunique() == 1).all()


def test_a_label_map_renames_in_the_table_but_leaves_the_folds_as_they_are(class_folders, cell_data):
    plain = cell_data(class_folders).fold(0).table.set_index("id")
    fold = cell_data(
        class_folders, label_map={"file": None, "map": {"c": "rest", "b": "rest", "a": "first"}}
    ).fold(0)
    assert fold.classes == ("rest", "first")
    assert fold.table.set_index("id")["split"].equals(plain["split"])
    assert fold.table["label"].tolist() == [fold.classes.index(subtype) for subtype in fold.table["subtype"]]
    dropped = cell_data(class_folders, label_map={"file": None, "map": {"c": None, "b": "b", "a": "a"}}).fold(
        0
    )
    assert len(dropped.table) == len(dropped.pixels) == 18
    np.testing.assert_array_equal(dropped.pixels[17], read_rgb(class_folders / dropped.table["id"][17]))


def test_equal_images_are_never_on_two_sides_of_computed_folds(class_folders, cell_data):
    for number in range(4):
        shutil.copy(class_folders / "a" / "p0_0.png", class_folders / "a" / f"copy{number}.png")
    for number in range(5):
        assert cell_data(class_folders, on_leak="stop").fold(number).marks == {}


def test_published_folds_are_taken_with_their_leaks_marked(published, cell_data):
    assert cell_data(published).fold(0).marks == {}
    image = next((published / "fold_0/train/class0").iterdir())
    shutil.copy(image, published / "fold_0/test/class0" / image.name)
    marks = cell_data(published).fold(0).marks
    assert marks["leaks"]["images"]["count"] == 1
    with pytest.raises(UserError, match="1 image leak"):
        cell_data(published, on_leak="stop").fold(0)


def test_published_folds_with_known_patients_stop_on_a_leak(published, cell_data):
    with pytest.raises(UserError, match=r"groups leak"):
        cell_data(published, group_regex=r"class(\d)").fold(0)
    assert (
        cell_data(published, group_regex=r"class(\d)", on_leak="warn")
        .fold(0)
        .marks["leaks"]["groups"]["count"]
        == 2
    )


def test_published_test_sets_that_leave_images_out_are_told(published, cell_data):
    shutil.rmtree(published / "fold_2")
    marks = cell_data(published).fold(0).marks
    assert marks == {"warnings": ["6 of 18 images are in no test set"]}


def test_published_test_sets_that_leave_images_out_stop_where_patients_are_known(published, cell_data):
    shutil.rmtree(published / "fold_2")
    told = (
        r"must be disjoint and cover everything, but 6 of 18 images are in no test set \(data\.on_leak=warn"
    )
    with pytest.raises(UserError, match=told):
        cell_data(published, group_regex=r"(\d_\d)\.png").fold(0)


def test_patients_of_a_table_are_kept_whole_whatever_their_column_is_called(class_folders, cell_data):
    names = sorted(file.relative_to(class_folders).as_posix() for file in class_folders.glob("*/*.png"))
    rows = "".join(f"{name},{name[0]},{name[2:4]}\n" for name in names)
    (class_folders / "cells.csv").write_text("path,subtype,patient\n" + rows)
    for number in range(4):
        table = cell_data(class_folders, folds={"count": 4}).fold(number).table
        assert (table.groupby("group")["split"].nunique() == 1).all()
        assert set(table["group"]) == {"p0", "p1", "p2", "p3"}


def test_one_image_under_two_labels_is_recorded_or_dropped(class_folders, cell_data):
    shutil.copy(class_folders / "a" / "p0_0.png", class_folders / "b" / "same.png")
    kept, dropped = (cell_data(class_folders, on_conflict=policy).fold(0) for policy in ("keep", "drop"))
    assert len(kept.table) == 25
    assert len(dropped.table) == 23
    assert kept.marks["conflicts"]["first"] == [["a/p0_0.png (a)", "b/same.png (b)"]]
    merged = {"file": None, "map": {"a": "ab", "b": "ab", "c": "c"}}
    assert cell_data(class_folders, label_map=merged).fold(0).marks == {}


def test_skipped_images_are_recorded(class_folders, cell_data):
    (class_folders / "a" / "p0_0.png").write_bytes(b"no image")
    marks = cell_data(class_folders, on_bad_image="skip").fold(0).marks
    assert [skipped["id"] for skipped in marks["skipped"]] == ["a/p0_0.png"]


def test_a_changed_image_is_seen_by_the_next_run(class_folders, cell_data, save):
    cell_data(class_folders).fold(0)
    save(class_folders / "a" / "p0_0.png", 999, height=9)
    fold = cell_data(class_folders).fold(0)
    row = fold.table.index[fold.table["id"] == "a/p0_0.png"][0]
    np.testing.assert_array_equal(fold.pixels[row], read_rgb(class_folders / "a" / "p0_0.png"))


def test_a_read_only_folder_is_read_and_not_touched(class_folders, cell_data, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    class_folders.chmod(0o555)
    cell_data(class_folders).fold(0)
    assert not (class_folders / ".mk11").exists()
    assert len(list((tmp_path / "cache").glob("mk11/cells-*/index.parquet"))) == 1


def test_a_table_may_lie_in_the_folder_or_where_the_command_runs(
    class_folders, cell_data, tmp_path, monkeypatch
):
    names = sorted(file.relative_to(class_folders).as_posix() for file in class_folders.glob("*/*.png"))
    text = "path,subtype\n" + "".join(f"{name},{name[0]}\n" for name in names)
    (class_folders / "inside.csv").write_text(text)
    (tmp_path / "outside.csv").write_text(text)
    monkeypatch.chdir(tmp_path)
    for file in ("inside.csv", "outside.csv"):
        assert len(cell_data(class_folders, file=file).fold(0).table) == 24


def test_drawn_cells_are_drawn_on_first_use(class_folders, shipped, tmp_path):
    calls = []

    def draw(root, *, scale, seed):
        calls.append((scale, seed))
        shutil.copytree(class_folders, root)
        names = sorted(file.relative_to(root).as_posix() for file in root.glob("*/*.png"))
        (root / "cells.csv").write_text("path,subtype\n" + "".join(f"{name},{name[0]}\n" for name in names))

    for _ in range(2):
        data = DrawnCells(**shipped | {"root": tmp_path / "drawn"}, scale=0.5, seed=3, generate=draw)
        assert len(data.fold(0).table) == 24
    assert calls == [(0.5, 3)]


@pytest.mark.shared
def test_real_red_cells_are_split_by_their_groups(shared, tmp_path, cell_data):
    cut = [sys.executable, str(shared / "data/cut_cells.py"), str(tmp_path / "chula"), "--limit", "12"]
    subprocess.run(cut, check=True, capture_output=True)
    fold = cell_data(tmp_path / "chula").fold(0)
    assert len(fold.classes) == 11
    assert fold.table["group"].nunique() > 20
    assert (fold.table.groupby("group")["split"].nunique() == 1).all()
    assert "leaks" not in fold.marks


@pytest.mark.shared
def test_real_white_cells_run_though_one_class_has_one_image(shared, tmp_path, cell_data):
    columns = {"path": "image ID", "subtype": "class label", "group": "group", "um_per_pixel": "um_per_pixel"}
    root = shared / "data/wbc"
    before = {file.name for file in root.iterdir()}
    fold = cell_data(
        root, layout="csv", file="labels.csv", columns=columns, path_format="{:0>3}.bmp", work_dir=tmp_path
    ).fold(0)
    assert fold.table["subtype"].value_counts().to_dict() == {"1": 176, "2": 53, "3": 48, "4": 22, "5": 1}
    assert fold.marks["warnings"] == ["class 5 has 1 image: it trains in every fold and is never tested"]
    assert {file.name for file in root.iterdir()} == before
