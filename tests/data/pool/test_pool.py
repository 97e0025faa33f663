"""What a pool holds, and what it leaves out."""

import shutil

import numpy as np
import pytest
from conftest import make_cells
from PIL import Image
from pools import hashes, images_of, manifest, pool_of

from mk11.data import pool_likeness
from mk11.data.pool import counts_told
from mk11.errors import UserError


def test_the_folds_training_images_are_a_pool_without_labels(cells):
    pool = pool_of(cells, training=True)
    assert hashes(pool) == set(images_of(cells, 0, "train")["content_hash"])
    assert not {"label", "subtype", "split"} & set(pool.table)
    assert pool.counts["used"] == pool.counts["training"] == len(pool.table)


def test_each_pixel_is_that_of_the_row_it_stands_for(cells, crops):
    pool = pool_of(cells, training=True, folders=[str(crops)])
    assert len(pool.pixels) == len(pool.table) == pool.counts["used"]
    files = {"cells": images_of(cells, 0, "train").set_index("content_hash")["path"]}
    for row, entry in pool.table.iterrows():
        path = files["cells"].get(entry["content_hash"]) or crops / entry["id"]
        np.testing.assert_array_equal(pool.pixels[row], np.asarray(Image.open(path)))


def test_a_renamed_copy_of_a_test_image_is_left_out(cells, crops):
    sneaked = images_of(cells, 0, "test").iloc[0]
    shutil.copy(sneaked["path"], crops / "harmless.png")
    Image.open(sneaked["path"]).save(crops / "another.bmp")
    pool = pool_of(cells, folders=[str(crops)])
    assert sneaked["content_hash"] not in hashes(pool)
    assert pool.counts["folders"] == 7
    assert pool.counts["held_out"] == 2
    assert pool.counts["used"] == 5
    assert "2 held out for validation or test, left out" in counts_told(pool.counts)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_test_image_that_a_manifest_names_is_left_out(cells, crops, suffix):
    sneaked = images_of(cells, 0, "test").iloc[0]
    shutil.copy(sneaked["path"], crops / "harmless.png")
    rows = [{"path": sneaked["path"]}, {"path": "harmless.png"}, {"path": "0.png"}]
    pool = pool_of(cells, manifests=[manifest(crops / f"m.{suffix}", rows)])
    assert pool.table["id"].tolist() == ["0.png"]
    assert pool.counts["held_out"] == 2


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("fold", [0, 1, 2])
def test_no_held_out_image_of_any_fold_is_seen(cells, crops, fold, split):
    for number, path in enumerate(images_of(cells, fold, split)["path"]):
        shutil.copy(path, crops / f"copy{number}.png")
    pool = pool_of(cells, fold, training=True, folders=[str(crops)])
    assert not hashes(pool) & set(images_of(cells, fold, "val", "test")["content_hash"])
    assert pool.counts["held_out"] == len(images_of(cells, fold, split))


def test_the_holdout_is_left_out_of_numbered_folds(cell_data, class_folders):
    cells = cell_data(class_folders, holdout={"fraction": 0.3}, folds={"count": 2})
    locked = set(images_of(cells, "final", "test")["content_hash"])
    pool = pool_of(cells, 0, folders=[str(class_folders)])
    assert locked
    assert not hashes(pool) & locked
    assert hashes(pool) == set(images_of(cells, 0, "train")["content_hash"])


def test_copies_are_used_once(cells, crops):
    shutil.copy(crops / "0.png", crops / "again.png")
    shutil.copy(images_of(cells, 0, "train")["path"].iloc[0], crops / "own.png")
    pool = pool_of(cells, training=True, folders=[str(crops), str(crops)])
    assert pool.table["content_hash"].is_unique
    assert pool.counts["copies"] == 1 + 1 + 7
    assert pool.counts["used"] == pool.counts["training"] + 5


def test_a_pool_is_the_same_whatever_its_files_are_called(cells, crops, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for number, path in enumerate(sorted(crops.rglob("*.png"), reverse=True)):
        shutil.copy(path, other / f"{number}.png")
    one, two = (pool_of(cells, folders=[str(folder)]) for folder in (crops, other))
    assert one.fingerprint == two.fingerprint
    for row in range(len(one.table)):
        np.testing.assert_array_equal(one.pixels[row], two.pixels[row])
    (other / "0.png").unlink()
    assert pool_of(cells, folders=[str(other)]).fingerprint != one.fingerprint


@pytest.mark.parametrize("by", ["folder", "manifest"])
def test_pictures_that_look_like_held_out_ones_are_left_out_and_counted(cell_data, tmp_path, by):
    root, crops = make_cells(tmp_path / "discs", per_class=6), tmp_path / "crops"
    crops.mkdir()
    discs = cell_data(root, folds={"count": 3})
    for split in ("val", "test"):
        image = Image.open(images_of(discs, 0, split)["path"].iloc[0])
        image.save(crops / f"{split}.jpg", quality=90)
    noise = np.random.default_rng(1).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(crops / "other.png")
    rows = [{"path": path.name, "group": "elsewhere"} for path in sorted(crops.iterdir())]
    folder = {"folders": [str(crops)]}
    source = folder if by == "folder" else {"manifests": [manifest(crops / "m.csv", rows)]}
    pool = pool_of(discs, **source)
    assert pool.table["id"].tolist() == ["other.png"]
    assert pool.counts["near_duplicates"] == 2
    assert pool.counts["held_out"] == 0
    assert "2 that look like held-out ones, left out" in counts_told(pool.counts)
    assert len(pool_of(discs, **source, near_duplicates=None).table) == 3
    assert pool_of(discs, training=True, near_duplicates=100).counts["near_duplicates"] == 0


def test_pictures_are_compared_without_reading_them_again(cells, crops, monkeypatch):
    first = pool_of(cells, folders=[str(crops)])
    monkeypatch.setattr(pool_likeness, "_hash_of", None)
    assert pool_of(cells, folders=[str(crops)]).fingerprint == first.fingerprint


def test_a_damaged_memory_of_pictures_is_told(cells, crops):
    pool_of(cells, folders=[str(crops)])
    (ledger,) = cells.folder.glob("perceptual*.parquet")
    ledger.write_bytes(b"")
    with pytest.raises(UserError, match=r"perceptual12\.parquet must be as this program wrote it"):
        pool_of(cells, folders=[str(crops)])


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({}, "pool must have a source"),
        ({"training": "yes"}, r"pool\.training must be one of true, false, but is yes"),
        ({"folders": 3}, r"pool\.folders must be a list of paths, but is 3"),
        ({"folders": ["/no/such"]}, r"pool\.folders must be existing folders, but there is no /no/such"),
        ({"manifests": ["/no/such.csv"]}, r"pool\.manifests must be existing tables"),
        ({"um_per_pixel": -1, "training": True}, r"pool\.um_per_pixel must be a number above 0, but is -1"),
        ({"near_duplicates": -1}, r"pool\.near_duplicates must be a whole number of at least 0, but is -1"),
        ({"near_duplicates": 144}, r"pool\.near_duplicates must be below the 144 bits there are, but is 144"),
    ],
)
def test_a_mistake_in_a_pool_is_told(cells, keys, told):
    with pytest.raises(UserError, match=told):
        pool_of(cells, **keys)


def test_a_pool_of_nothing_but_held_out_images_is_refused(cells, tmp_path):
    for number, path in enumerate(images_of(cells, 0, "test")["path"]):
        (tmp_path / "sneaky").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "sneaky" / f"{number}.png")
    with pytest.raises(UserError, match="pool must hold images that may be seen, but has 0 images"):
        pool_of(cells, folders=[str(tmp_path / "sneaky")])


def test_unreadable_files_are_named_or_skipped(cell_data, class_folders, crops):
    (crops / "broken.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"broken\.png"):
        pool_of(cell_data(class_folders), folders=[str(crops)])
    pool = pool_of(cell_data(class_folders, on_bad_image="skip"), folders=[str(crops)])
    assert list(pool.skipped) == ["broken.png"]
    assert len(pool.table) == 5
