import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import make_cells
from PIL import Image

from mk11.data import pool_likeness
from mk11.data.pool import Pool, counts_told
from mk11.data.pool_loader import PoolLoaders, PoolViews
from mk11.data.transforms.plain import Plain
from mk11.data.transforms.resize import FixedScale, ShortSide
from mk11.errors import UserError

NONE = {"training": False, "folders": [], "manifests": [], "um_per_pixel": None, "near_duplicates": 12}


def pool_of(cells, fold=0, **changed):
    return Pool(**{**NONE, **changed}).gather(cells, cells.fold(fold))


def images_of(cells, fold, *splits):
    table = cells.fold(fold).table
    return table[table["split"].isin(splits)]


def hashes(pool):
    return set(pool.table["content_hash"])


@pytest.fixture
def cells(cell_data, class_folders):
    """24 images in three folds."""
    return cell_data(class_folders, folds={"count": 3})


@pytest.fixture
def crops(tmp_path, save):
    """A folder of five other images, one of them deep inside."""
    for number in range(4):
        save(tmp_path / "crops" / f"{number}.png", 1000 + number, height=7)
    save(tmp_path / "crops" / "slide" / "deep.png", 1004)
    return tmp_path / "crops"


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


def manifest(path, rows):
    table = pd.DataFrame(rows)
    table.to_csv(path, index=False) if path.suffix == ".csv" else table.to_parquet(path)
    return str(path)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_manifest_names_images_their_scales_and_patients(cells, crops, suffix):
    rows = [
        {"path": "0.png", "um_per_pixel": 0.25, "group": "P1"},
        {"path": "slide/deep.png", "um_per_pixel": None, "group": None},
        {"path": str(crops / "1.png"), "um_per_pixel": 0.5, "group": "P2"},
    ]
    file = manifest(crops / f"selected.{suffix}", rows)
    table = pool_of(cells, manifests=[file], um_per_pixel=0.1).table.set_index("id")
    assert table["um_per_pixel"].to_dict() == {
        "0.png": 0.25,
        "slide/deep.png": 0.1,
        str(crops / "1.png"): 0.5,
    }
    assert table.loc["0.png", "group"] == "P1"
    assert table.loc["slide/deep.png", "group"] == ""


@pytest.fixture
def patients(cell_data, tmp_path, save):
    """Twelve images of six patients in three folds."""
    root, rows = tmp_path / "patients", []
    for number in range(12):
        save(root / f"{number}.png", 500 + number)
        rows.append({"path": f"{number}.png", "subtype": "ab"[number % 2], "group": f"P{number // 2}"})
    pd.DataFrame(rows).to_csv(root / "cells.csv", index=False)
    return cell_data(root, folds={"count": 3})


def test_unseen_images_of_a_held_out_patient_are_left_out(patients, crops):
    test, train = (images_of(patients, 0, split)["group"].iloc[0] for split in ("test", "train"))
    file = manifest(crops / "m.csv", [{"path": "0.png", "group": test}, {"path": "1.png", "group": train}])
    pool = pool_of(patients, manifests=[file])
    assert pool.table["id"].tolist() == ["1.png"]
    assert pool.counts["held_out_groups"] == 1
    assert pool.transductive is None


def test_images_that_may_be_of_held_out_patients_are_told(cells, patients, crops):
    train = images_of(patients, 0, "train")["group"].iloc[0]
    file = manifest(crops / "m.csv", [{"path": "0.png", "group": None}, {"path": "1.png", "group": train}])
    told = pool_of(patients, training=True, manifests=[file]).transductive
    assert told.startswith("unknown: 1 of 2 images without labels may be of held-out patients (their")
    told = pool_of(cells, training=True, manifests=[file]).transductive
    assert told.startswith("unknown: 2 of 2 images")
    assert told.endswith("(held-out patients are not all known)")
    assert pool_of(cells, training=True).transductive is None


@pytest.fixture
def numbered(cell_data, tmp_path, save):
    """Nine images of the patients 000 to 008 in three folds."""
    root = tmp_path / "numbered"
    rows = [{"path": f"{n}.png", "subtype": "ab"[n % 2], "group": f"00{n}"} for n in range(9)]
    for number, row in enumerate(rows):
        save(root / row["path"], 700 + number)
    pd.DataFrame(rows).to_csv(root / "cells.csv", index=False)
    return cell_data(root, folds={"count": 3})


@pytest.mark.parametrize("column", ["group", "Patient", "patient_id", "subject", "slide"])
def test_patients_that_look_like_numbers_are_known_in_a_manifest(numbered, crops, column):
    test, train = (images_of(numbered, 0, split)["group"].iloc[0] for split in ("test", "train"))
    (crops / "m.csv").write_text(f"path , {column}\n0.png,{test}\n1.png, {train}\n2.png,\n")
    pool = pool_of(numbered, manifests=[str(crops / "m.csv")])
    assert set(pool.table["id"]) == {"1.png", "2.png"}
    assert pool.counts["held_out_groups"] == 1
    assert set(pool.table["group"]) == {train, ""}


def test_groups_that_became_decimal_numbers_are_refused(numbered, crops):
    file = manifest(crops / "m.parquet", [{"path": "0.png", "group": 7}, {"path": "1.png", "group": None}])
    with pytest.raises(UserError, match=r"group in .*m\.parquet must be text.* such as 7\.0"):
        pool_of(numbered, manifests=[file])


def test_whole_numbers_and_missing_ones_are_groups_as_they_are_written(numbered, crops):
    table = pd.DataFrame({"path": ["0.png", "1.png"], "patient": pd.array([7, None], dtype="Int64")})
    table.to_parquet(crops / "m.parquet")
    assert set(pool_of(numbered, manifests=[str(crops / "m.parquet")]).table["group"]) == {"7", ""}


def test_hashes_that_look_like_numbers_are_compared_as_texts(cells, crops):
    (crops / "m.csv").write_text("path,content_hash\n0.png,00000000000000000000000000000012\n1.png,\n")
    with pytest.raises(UserError, match=r"1 have changed since, such as 0\.png"):
        pool_of(cells, manifests=[str(crops / "m.csv")])


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


def test_an_image_that_changed_since_it_was_selected_is_refused(cells, crops, save):
    known = pool_of(cells, folders=[str(crops)]).table.set_index("id")["content_hash"]
    file = manifest(crops / "m.csv", [{"path": "0.png", "content_hash": known["0.png"]}])
    assert len(pool_of(cells, manifests=[file]).table) == 1
    save(crops / "0.png", 77)
    with pytest.raises(UserError, match=r"1 have changed since, such as 0\.png"):
        pool_of(cells, manifests=[file])


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


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"file": "0.png"}], "must have a row for each image with its `path`"),
        ([{"path": "0.png"}, {"path": "0.png"}], r"must name each image once, but names 0\.png again"),
        ([{"path": "0.png", "um_per_pixel": "far"}], "must be a number above 0, but is far"),
        ([{"path": "no.png"}], "must be readable, but 1 are not"),
    ],
)
def test_a_mistake_in_a_manifest_is_told(cells, crops, rows, told):
    with pytest.raises(UserError, match=told):
        pool_of(cells, manifests=[manifest(crops / "m.csv", rows)])


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


# Batches.

PLAIN = Plain(resize=ShortSide(image_size=4, crop_fraction=1.0), mean=[0.5] * 3, std=[0.5] * 3)


class Rows:
    """Stands in for an augmentation: what an image is, and a random number."""

    resize = ShortSide(image_size=4, crop_fraction=1.0)

    def __init__(self, views=1):
        self.views = views

    def __call__(self, image, um_per_pixel):
        value = torch.full((3, 4, 4), float(image.sum())) + torch.rand(1)
        return torch.stack([value, -value]) if self.views == 2 else value


def loaders_of(pool, transform=None, **changed):
    keys = {"batch_size": 4, "accumulate": 1, "workers": 0, "seed": 3, **changed}
    return PoolLoaders(pool=pool, transform=transform or Rows(), **keys)


def epoch_rows(loader, epoch):
    loader.sampler.set_epoch(epoch)
    return [row for batch in loader for row in batch["index"].tolist()]


def test_every_epoch_has_another_order_on_one_device(cells):
    pool = pool_of(cells, training=True)
    loader = loaders_of(pool).train_dataloader()
    epochs = [epoch_rows(loader, epoch)[: len(pool.table)] for epoch in range(30)]
    assert len({tuple(rows) for rows in epochs}) == 30
    assert all(len(rows) == len(set(rows)) for rows in epochs)


@pytest.mark.parametrize("batch", [3, 5, 7, 11])
def test_each_image_is_seen_in_every_epoch(cells, batch):
    pool = pool_of(cells, training=True)
    count = len(pool.table)
    loader = loaders_of(pool, batch_size=batch).train_dataloader()
    for epoch in range(5):
        rows = epoch_rows(loader, epoch)
        assert len(rows) == -(-count // batch) * batch
        assert set(rows) == set(range(count))
        assert rows[count:] == rows[: len(rows) - count]  # repeats: those that came first


def test_a_repeat_within_an_epoch_is_drawn_anew(cells):
    loader = loaders_of(pool_of(cells, training=True), batch_size=11).train_dataloader()
    first, last = list(loader)[:: len(loader) - 1]
    count = len(loader.sampler) - loader.sampler.count
    assert count > 0
    assert torch.equal(first["index"][:count], last["index"][-count:])
    assert not torch.equal(first["image"][:count], last["image"][-count:])


@pytest.mark.parametrize("accumulate", [1, 2])
def test_devices_share_the_same_full_batches(cells, accumulate):
    """Of 24 images, or as many as the fold has: every step is a whole batch, whatever shares it."""
    pool = pool_of(cells, training=True)
    alone = loaders_of(pool, batch_size=12, accumulate=accumulate)
    assert alone.steps_per_epoch() == -(-len(pool.table) // 12)
    expected = epoch_rows(alone.train_dataloader(), 2)
    found = []
    for rank in (0, 1):
        shared = loaders_of(pool, batch_size=12, accumulate=accumulate)
        shared.place = lambda rank=rank: (rank, 2)
        found.append(epoch_rows(shared.train_dataloader(), 2))
    assert [row for pair in zip(*found, strict=True) for row in pair] == expected


def test_two_views_make_a_batch_of_pairs(cells):
    batch = next(iter(loaders_of(pool_of(cells, training=True), Rows(views=2)).train_dataloader()))
    assert batch["image"].shape == (4, 2, 3, 4, 4)
    torch.testing.assert_close(batch["image"][:, 0], -batch["image"][:, 1])


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_no_number(cells, workers):
    pool = pool_of(cells, training=True)
    batches = [
        [batch["image"] for batch in loaders_of(pool, workers=number).train_dataloader()]
        for number in (0, workers)
    ]
    assert all(torch.equal(one, two) for one, two in zip(*batches, strict=True))


def test_an_image_is_drawn_anew_in_each_epoch(cells):
    views = PoolViews(pool_of(cells, training=True), Rows(), 0)
    first, again, later = (views.__getitems__([(epoch, 2)])["image"] for epoch in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, later)


def test_a_batch_larger_than_the_pool_is_refused(cells):
    pool = pool_of(cells, training=True)
    with pytest.raises(
        UserError, match=f"batch_size must be at most {len(pool.table)}, the images of the pool"
    ):
        loaders_of(pool, batch_size=64)


def test_unknown_scales_are_refused_at_a_fixed_one(cells, crops):
    policy = FixedScale(image_size=4, target_um_per_pixel=1.0)
    transform = Plain(resize=policy, mean=[0.5] * 3, std=[0.5] * 3)
    with pytest.raises(UserError, match="um_per_pixel"):
        PoolViews(pool_of(cells, folders=[str(crops)]), transform, 0)
    assert len(PoolViews(pool_of(cells, folders=[str(crops)], um_per_pixel=0.2), transform, 0)) == 5
