"""Manifests: tables that name images, their scales and patients."""

import pandas as pd
import pytest
from pools import images_of, manifest, pool_of

from mk11.errors import UserError


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


def test_an_image_that_changed_since_it_was_selected_is_refused(cells, crops, save):
    known = pool_of(cells, folders=[str(crops)]).table.set_index("id")["content_hash"]
    file = manifest(crops / "m.csv", [{"path": "0.png", "content_hash": known["0.png"]}])
    assert len(pool_of(cells, manifests=[file]).table) == 1
    save(crops / "0.png", 77)
    with pytest.raises(UserError, match=r"1 have changed since, such as 0\.png"):
        pool_of(cells, manifests=[file])


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
