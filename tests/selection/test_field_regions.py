"""Stage 1 over all fields: repeatable, in any number of processes, and continued where it was interrupted."""

from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from PIL import Image

from mk11.data.images import content_hash
from mk11.data.near_duplicates import perceptual_hash
from mk11.errors import UserError
from mk11.selection import field_regions
from mk11.selection.field_regions import field_seed, find_regions

SQUARES = [[(5, 5, 10), (30, 20, 3)], [], [(0, 0, 8), (40, 10, 12)], [(20, 10, 6)]]


@pytest.fixture
def fields(make_fields):
    return make_fields(*SQUARES)


def test_regions_of_all_fields_come_with_their_fields(fields, search, tmp_path):
    regions, told = find_regions(fields, search=search, folder=tmp_path / "parts", workers=0)
    assert regions[["field", "x0", "y0", "x1", "y1", "reason"]].values.tolist() == [
        ["field0.png", 5, 5, 15, 15, ""],
        ["field0.png", 30, 20, 33, 23, "small"],
        ["field2.png", 0, 0, 8, 8, ""],
        ["field2.png", 40, 10, 52, 22, ""],
        ["field3.png", 20, 10, 26, 16, ""],
    ]
    assert regions["group"].tolist() == ["P0", "P0", "P2", "P2", "P3"]
    assert told[["regions", "kept"]].values.tolist() == [[2, 1], [0, 0], [2, 2], [1, 1]]


def test_kept_regions_know_their_crops(fields, search, tmp_path):
    regions, _ = find_regions(fields, search=search, folder=tmp_path / "parts", workers=0)
    first, small = regions.iloc[0], regions.iloc[1]
    crop = search.crop.cut(
        field_regions.read_rgb(Path(fields["path"][0])), (5, 5, 15, 15), um_per_pixel=None
    )[0]
    assert first["crop_hash"] == content_hash(crop)
    assert first["perceptual_hash"] == perceptual_hash(crop)
    assert first[["crop_x0", "crop_y0", "crop_x1", "crop_y1"]].tolist() == [5, 5, 15, 15]
    assert small["crop_hash"] == ""


def test_each_field_has_a_seed_by_what_it_shows(fields, search, tmp_path):
    regions, _ = find_regions(fields, search=search, folder=tmp_path / "parts", workers=0)
    expected = [field_seed(0, one) % 97 for one in regions["field_hash"]]
    assert regions["fill"].tolist() == expected  # where the filter wrote its seed
    assert len({*expected}) == 3


def test_neither_order_nor_parts_nor_workers_change_anything(fields, search, tmp_path, monkeypatch):
    whole = find_regions(fields, search=search, folder=tmp_path / "whole", workers=0)
    monkeypatch.setattr(field_regions, "PART", 1)
    shuffled = fields.iloc[[2, 0, 3, 1]].reset_index(drop=True)
    find_regions(shuffled, search=search, folder=tmp_path / "parts", workers=2)
    again = find_regions(fields, search=search, folder=tmp_path / "parts", workers=0)
    assert_frame_equal(whole.regions, again.regions)
    assert_frame_equal(whole.fields, again.fields)


def test_an_interrupted_search_goes_on(fields, search, tmp_path, monkeypatch):
    monkeypatch.setattr(field_regions, "PART", 1)
    whole = find_regions(fields, search=search, folder=tmp_path / "whole", workers=0)
    look = type(search.filter).find

    def stopped(self, image, **rest):
        if self.looked == 6:  # the third field of this search
            raise KeyboardInterrupt
        return look(self, image, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(type(search.filter), "find", stopped)
        with pytest.raises(KeyboardInterrupt):
            find_regions(fields, search=search, folder=tmp_path / "parts", workers=0)
    assert len(list((tmp_path / "parts").glob("*.fields.parquet"))) == 2
    looked = search.filter.looked
    found = find_regions(fields, search=search, folder=tmp_path / "parts", workers=0)
    assert search.filter.looked == looked + 2
    assert_frame_equal(found.regions, whole.regions)


def test_a_half_written_part_does_not_count(fields, search, tmp_path, monkeypatch):
    monkeypatch.setattr(field_regions, "PART", 1)
    whole = find_regions(fields, search=search, folder=tmp_path / "parts", workers=0)
    next((tmp_path / "parts").glob("*.fields.parquet")).unlink()
    again = find_regions(fields, search=search, folder=tmp_path / "parts", workers=0)
    assert_frame_equal(again.regions, whole.regions)


def test_a_field_that_became_unreadable_is_told_and_not_fatal(fields, search, tmp_path):
    Path(fields["path"][2]).write_bytes(b"gone")
    regions, told = find_regions(fields, search=search, folder=tmp_path / "parts", workers=0)
    assert set(regions["field"]) == {"field0.png", "field3.png"}
    assert told["error"].map(bool).tolist() == [False, False, True, False]


def test_fields_that_all_became_unreadable_are_refused(fields, search, tmp_path):
    for path in fields["path"]:
        Path(path).unlink()
    with pytest.raises(UserError, match=r"fields must be readable, but all are not any more"):
        find_regions(fields, search=search, folder=tmp_path / "parts", workers=0)


def test_fields_without_any_region_are_counted(make_fields, search, tmp_path):
    regions, told = find_regions(make_fields([], []), search=search, folder=tmp_path / "parts", workers=0)
    assert regions.empty
    assert isinstance(regions, pd.DataFrame)
    assert told["regions"].tolist() == [0, 0]


def test_pictures_of_any_format_are_fields(make_fields, search, tmp_path):
    fields = make_fields([(5, 5, 10)])
    Image.open(fields["path"][0]).save(tmp_path / "same.bmp")
    bitmap = fields.assign(path=str(tmp_path / "same.bmp"))
    one, other = (
        find_regions(table, search=search, folder=tmp_path / name, workers=0).regions
        for name, table in (("png", fields), ("bmp", bitmap))
    )
    assert_frame_equal(one, other)
