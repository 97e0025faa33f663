import os

import pandas as pd
import pytest

from mk11.data import index as index_module
from mk11.data.images import content_hash, read_rgb
from mk11.data.index import build_index
from mk11.data.layouts import list_files
from mk11.errors import UserError


@pytest.fixture
def build(tmp_path, csv_format):
    """Index a root into tmp_path/index."""

    def run(root, on_bad_image="error"):
        (tmp_path / "index").mkdir(exist_ok=True)
        listing = list_files(root=root, layout="auto", file=None, csv_format=csv_format)
        return build_index(listing=listing, folder=tmp_path / "index", on_bad_image=on_bad_image, threads=2)

    return run


@pytest.fixture
def decoded(monkeypatch):
    """How many images were decoded so far."""
    seen = []

    def counting(encoded):
        seen.append(1)
        return index_module_decode(encoded)

    index_module_decode = index_module.decode_rgb
    monkeypatch.setattr(index_module, "decode_rgb", counting)
    return seen


def test_the_index_agrees_with_reading_each_image(class_folders, build):
    images = build(class_folders).images
    assert len(images) == 24
    for row in images.itertuples():
        pixels = read_rgb(class_folders / row.id)
        assert (row.height, row.width) == pixels.shape[:2]
        assert row.content_hash == content_hash(pixels)
        assert row.subtype == row.id.split("/")[0]


def test_it_is_written_with_relative_paths(class_folders, build, tmp_path):
    images = build(class_folders).images
    written = pd.read_parquet(tmp_path / "index" / "index.parquet")
    assert written["path"].tolist() == images["id"].tolist()
    assert {"subtype", "group", "source", "um_per_pixel", "width", "height", "content_hash"} <= set(written)


def test_a_rerun_decodes_nothing(class_folders, build, decoded):
    first = build(class_folders).images
    assert len(decoded) == 24
    pd.testing.assert_frame_equal(build(class_folders).images, first)
    assert len(decoded) == 24


def test_changed_and_new_files_are_read_again_and_only_they(class_folders, build, save, decoded):
    before = build(class_folders).images.set_index("id")["content_hash"]
    save(class_folders / "a" / "p0_0.png", 999)
    save(class_folders / "a" / "new.png", 998)
    (class_folders / "b" / "p0_0.png").unlink()
    after = build(class_folders).images.set_index("id")["content_hash"]
    assert len(decoded) == 24 + 2
    assert after["a/p0_0.png"] != before["a/p0_0.png"]
    assert set(after.index) == set(before.index) - {"b/p0_0.png"} | {"a/new.png"}


def test_a_file_of_the_same_size_but_another_time_is_read_again(class_folders, build, decoded):
    build(class_folders)
    os.utime(class_folders / "a" / "p0_0.png", ns=(1, 1))
    build(class_folders)
    assert len(decoded) <= 25  # an equal file may be known by its bytes
    os.utime(class_folders / "a" / "p0_0.png", ns=(2, 2))
    build(class_folders)
    assert len(decoded) == 26


def test_all_unreadable_images_are_listed_at_once(class_folders, build):
    for name in ("a/p0_0.png", "b/p0_0.png"):
        (class_folders / name).write_bytes(b"no image")
    with pytest.raises(
        UserError, match=r"2 are not \(data\.on_bad_image=skip .*\n  a/p0_0.png: .*\n  b/p0_0.png: "
    ):
        build(class_folders)


def test_many_unreadable_images_are_counted(class_folders, build):
    for file in class_folders.glob("*/*.png"):
        file.write_bytes(b"no image")
    with pytest.raises(UserError, match=r"(?s)24 are not .*and 4 more") as caught:
        build(class_folders)
    assert str(caught.value).count("\n") == 21
    with pytest.raises(UserError, match="all 24 are unreadable"):
        build(class_folders, on_bad_image="skip")


def test_skipped_images_are_recorded_every_time(class_folders, build):
    (class_folders / "a" / "p0_0.png").write_bytes(b"no image")
    for _ in range(2):
        index = build(class_folders, on_bad_image="skip")
        assert list(index.skipped) == ["a/p0_0.png"]
        assert len(index.images) == 23


def test_copies_in_published_folds_are_one_image(published, build, decoded):
    index = build(published)
    assert len(index.images) == len(decoded) == 18
    assert index.published.shape == (18, 3)
    assert (index.published == "test").sum(axis=1).tolist() == [1] * 18
    for row, name in enumerate(index.images["id"]):
        fold, split = name.split("/")[:2]
        assert index.published.loc[row, int(fold[5:])] == split


def test_a_copy_within_one_fold_stays_visible(published, build):
    train = next((published / "fold_0/train/class0").iterdir())
    (published / "fold_0/test/class0" / train.name).write_bytes(train.read_bytes())
    index = build(published)
    assert len(index.images) == 19
    twice = index.images["content_hash"].duplicated(keep=False)
    assert set(index.published.loc[twice, 0]) == {"train", "test"}


def test_a_table_of_the_users_is_left_as_it_is(class_folders, build):
    table = class_folders / "cells.csv"
    table.write_text("path,subtype\na/p0_0.png,x\nb/p0_0.png,y\n")
    before = table.read_bytes(), table.stat().st_mtime_ns
    assert len(build(class_folders).images) == 2
    assert (table.read_bytes(), table.stat().st_mtime_ns) == before


def test_listings_of_the_same_folder_share_what_was_read(class_folders, build, decoded):
    build(class_folders)
    (class_folders / "cells.csv").write_text("path,subtype\na/p0_0.png,x\nb/p0_0.png,y\n")
    build(class_folders)
    (class_folders / "cells.csv").unlink()
    assert len(build(class_folders).images) == len(decoded) == 24


def test_a_damaged_ledger_is_named(class_folders, build, tmp_path):
    build(class_folders)
    (tmp_path / "index" / "files.parquet").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"files\.parquet must be as this program wrote it, but is damaged"):
        build(class_folders)
