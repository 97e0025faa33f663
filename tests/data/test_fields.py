"""Smear fields as a folder of pictures."""

import numpy as np
import pandas as pd
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image

from mk11.data.fields import FieldData
from mk11.errors import UserError

KEYS = {
    "name": "fields",
    "um_per_pixel": None,
    "group_regex": None,
    "truth": None,
    "truth_kinds": None,
    "on_bad_image": "skip",
    "work_dir": None,
    "threads": 1,
}


def field_data(root, **changes):
    return FieldData(root=root, **(KEYS | changes))


@pytest.fixture
def folder(tmp_path):
    """Three fields in two slides' folders."""
    generator = np.random.default_rng(0)
    for name in ("P1/a.png", "P1/b.jpg", "P2/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (12, 16, 3), dtype=np.uint8)).save(tmp_path / name)
    return tmp_path


def test_all_images_below_a_folder_are_fields(folder):
    table = field_data(folder).fields.table
    assert sorted(table["id"]) == ["P1/a.png", "P1/b.jpg", "P2/c.png"]
    assert set(table["width"]) == {16}
    assert set(table["height"]) == {12}
    assert table["um_per_pixel"].isna().all()
    assert set(table["group"]) == {""}


def test_a_table_beside_them_tells_group_and_scale(folder):
    pd.DataFrame(
        {"field": ["P1/a.png", "P2/c.png"], "group": ["p1", None], "um_per_pixel": [0.25, None]}
    ).to_csv(folder / "fields.csv", index=False)
    table = field_data(folder, um_per_pixel=0.5).fields.table.set_index("id")
    assert table["group"].to_dict() == {"P1/a.png": "p1", "P1/b.jpg": "", "P2/c.png": ""}
    assert table["um_per_pixel"].to_dict() == {"P1/a.png": 0.25, "P1/b.jpg": 0.5, "P2/c.png": 0.5}


@pytest.mark.parametrize("column", ["group", "Slide", "patient_id"])
def test_patients_that_look_like_numbers_stay_texts(folder, column):
    (folder / "fields.csv").write_text(f"field, {column}\nP1/a.png, 007\nP2/c.png,\n")
    table = field_data(folder).fields.table.set_index("id")
    assert table["group"].to_dict() == {"P1/a.png": "007", "P1/b.jpg": "", "P2/c.png": ""}


def test_a_pattern_tells_the_slide(folder):
    table = field_data(folder, group_regex=r"^(P\d)/").fields.table.set_index("id")
    assert table["group"].to_dict() == {"P1/a.png": "P1", "P1/b.jpg": "P1", "P2/c.png": "P2"}


def test_equal_fields_are_one_and_counted(folder):
    alone = field_data(folder).fields
    Image.open(folder / "P1/a.png").save(folder / "copy.bmp")
    both = field_data(folder).fields
    assert (len(both.table), both.copies, alone.copies) == (3, 1, 0)
    assert both.fingerprint == alone.fingerprint


def test_the_fingerprint_follows_contents_not_names(folder):
    before = field_data(folder).fields.fingerprint
    (folder / "P1/a.png").rename(folder / "P2/z.png")
    assert field_data(folder).fields.fingerprint == before
    assert field_data(folder, um_per_pixel=0.5).fields.fingerprint != before
    assert field_data(folder, group_regex=r"^(P\d)/").fields.fingerprint != before


def test_unreadable_fields_are_listed(folder):
    (folder / "broken.png").write_bytes(b"no image")
    fields = field_data(folder).fields
    assert list(fields.skipped) == ["broken.png"]
    assert len(fields.table) == 3
    with pytest.raises(UserError, match=r"fields\.on_bad_image=skip leaves them out.*\n.*broken\.png"):
        _ = field_data(folder, on_bad_image="error").fields


def test_a_folder_of_unreadable_fields_alone_is_refused(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"fields\.root must hold readable fields, but all 1 are"):
        _ = field_data(tmp_path).fields


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("name,group\na,b\n", "must have a column `field` that names each field once"),
        ("field,group\nP1/a.png,b\nP1/a.png,c\n", "must have a column `field` that names each field once"),
        ("field,group\nelsewhere.png,b\n", "must name fields below its folder, but names none"),
        ("field,um_per_pixel\nP1/a.png,-1\n", "must be a number above 0, but is -1"),
        ("field,um_per_pixel\nP1/a.png,wide\n", "must be a number above 0, but is wide"),
    ],
)
def test_a_wrong_table_is_told(folder, table, told):
    (folder / "fields.csv").write_text(table)
    with pytest.raises(UserError, match=told):
        _ = field_data(folder).fields


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"on_bad_image": "drop"}, "fields.on_bad_image must be one of skip, error, but is drop"),
        ({"um_per_pixel": 0}, "fields.um_per_pixel must be a number above 0, but is 0"),
        ({"threads": 0}, "fields.threads must be a whole number"),
    ],
)
def test_a_wrong_value_is_told(tmp_path, changes, told):
    with pytest.raises(UserError, match=told):
        field_data(tmp_path, **changes)


def test_folders_without_fields_are_told(tmp_path):
    with pytest.raises(UserError, match=r"fields\.root must hold images"):
        _ = field_data(tmp_path).fields
    with pytest.raises(UserError, match=r"fields\.root must be an existing folder"):
        _ = field_data(tmp_path / "nowhere").fields


def test_drawn_fields_are_made_on_first_use(tmp_path, monkeypatch):
    monkeypatch.setenv("MK11_DATA", str(tmp_path))
    config = OmegaConf.create({"fields": OmegaConf.load("conf/fields/folder.yaml"), "data": {"seed": 0}})
    config.fields.merge_with(OmegaConf.load("conf/fields/synthetic.yaml"))
    del config.fields["defaults"]
    config.fields.count = 2
    fields = instantiate(config.fields).fields
    assert len(fields.table) == 2
    assert (fields.table["group"] != "").all()
    assert set(fields.table["um_per_pixel"]) == {0.253}
