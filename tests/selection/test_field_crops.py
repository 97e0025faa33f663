"""Crops by row, cut from their fields; and what a selection writes of them."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mk11.data.images import content_hash, read_rgb
from mk11.errors import UserError
from mk11.selection import field_crops
from mk11.selection.field_crops import FieldCrops
from mk11.selection.field_regions import find_regions
from mk11.selection.manifest import write_crops

SQUARES = [[(5, 5, 10), (30, 20, 8)], [(0, 0, 8)], [(40, 10, 12), (20, 20, 9)]]


@pytest.fixture
def crops(make_fields, search, tmp_path):
    field_crops._read.cache_clear()
    fields = make_fields(*SQUARES)
    regions = find_regions(fields, search=search, folder=tmp_path / "parts", workers=0).regions
    return FieldCrops(regions, fields, search.crop)


def test_a_crop_is_what_its_region_said(crops):
    for row in range(5):
        assert content_hash(crops.one(row)) == crops.regions["crop_hash"][row]


def test_crops_come_field_by_field_with_their_rows(crops, monkeypatch):
    read = []
    monkeypatch.setattr(field_crops, "_read", lambda path: read.append(path) or read_rgb(Path(path)))
    found = {crop.row: content_hash(crop.image) for crop in crops.of([4, 0, 2, 1])}
    assert found == {row: crops.regions["crop_hash"][row] for row in (0, 1, 2, 4)}
    assert len(read) == 3


def test_a_field_that_has_changed_is_refused(crops):
    path = crops.fields["path"][0]
    picture = np.asarray(Image.open(path)).copy()
    picture[:] = 99
    Image.fromarray(picture).save(path)
    with pytest.raises(UserError, match=r"field0\.png must be as it was when its regions were found"):
        crops.one(0)


def test_crops_are_written_as_files_named_by_content(crops, tmp_path):
    table = crops.regions.iloc[[3, 0]]
    places = write_crops(tmp_path, table, crops.of, how="png")
    assert places == [f"crops/{one}.png" for one in table["crop_hash"]]
    for row, place in zip((3, 0), places, strict=True):
        assert content_hash(read_rgb(tmp_path / place)) == crops.regions["crop_hash"][row]


def test_crops_that_are_there_are_not_written_again(crops, tmp_path):
    (place,) = write_crops(tmp_path, crops.regions.iloc[[0]], crops.of, how="png")
    (tmp_path / place).write_bytes(b"kept")
    write_crops(tmp_path, crops.regions, crops.of, how="png")
    assert (tmp_path / place).read_bytes() == b"kept"
    assert len(list((tmp_path / "crops").iterdir())) == 5


def test_shards_hold_the_crops_and_are_equal_for_equal_crops(crops, tmp_path):
    places = write_crops(tmp_path / "a", crops.regions, crops.of, how="shards")
    again = write_crops(tmp_path / "b", crops.regions, crops.of, how="shards")
    assert places == again
    archive, name = places[2].rsplit("/", 1)
    with tarfile.open(tmp_path / "a" / archive) as shard:
        pixels = np.asarray(Image.open(shard.extractfile(name)))
    assert content_hash(pixels) == crops.regions["crop_hash"][2]
    assert (tmp_path / "a" / archive).read_bytes() == (tmp_path / "b" / archive).read_bytes()


def test_nothing_is_written_if_nothing_is_asked_for(crops, tmp_path):
    assert write_crops(tmp_path / "none", crops.regions, crops.of, how="none") == [""] * 5
    assert not (tmp_path / "none").exists()
