"""Drawn smear fields and the boxes of what lies in them."""

import cv2
import numpy as np
import pandas as pd
import pytest

from mk11.data.synthetic import files
from mk11.data.synthetic.anatomy import BYSTANDERS, SUBTYPES, UM_PER_PIXEL
from mk11.data.synthetic.fields import generate_fields
from mk11.errors import UserError

FIELDS = 3


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn") / "fields"
    generate_fields(root, count=FIELDS, seed=0)
    return root


@pytest.fixture(scope="module")
def boxes(drawn):
    return pd.read_csv(drawn / "boxes.csv")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_seed_draws_the_same_bytes_in_any_number_of_processes(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr(files, "cores", lambda: 2)
    generate_fields(tmp_path / "again", count=FIELDS, seed=0)
    assert contents(tmp_path / "again") == contents(drawn)


def test_fields_measure_1280_by_960(drawn):
    for path in drawn.glob("*.png"):
        assert cv2.imread(str(path)).shape == (960, 1280, 3)


def test_each_field_holds_several_kinds(boxes):
    kinds = boxes.groupby("field")["kind"].nunique()
    assert len(kinds) == FIELDS
    assert kinds.min() >= 3
    assert set(boxes["kind"]) <= {*SUBTYPES, *BYSTANDERS}
    assert set(boxes["kind"]) & set(SUBTYPES)


def test_boxes_lie_inside_the_field(boxes):
    assert (boxes[["x0", "y0"]] >= 0).all(axis=None)
    assert (boxes["x1"] <= 1280).all()
    assert (boxes["y1"] <= 960).all()
    assert (boxes["x1"] - boxes["x0"] > 20).all()


def test_boxes_hold_nuclei_and_nothing_else_does(drawn, boxes):
    """Nuclei are what absorbs most red light; platelets and dirt are smaller than any of them."""
    for field, rows in boxes.groupby("field"):
        red = cv2.imread(str(drawn / field))[..., 2].astype(float)
        dark = (red < 0.72 * np.median(red)).astype(np.uint8)
        inside = np.zeros_like(dark)
        for row in rows.itertuples():
            box = np.s_[row.y0 : row.y1, row.x0 : row.x1]
            inside[box] = 1
            assert dark[box].mean() > 0.05, (field, row)
        assert dark[inside == 0].mean() < 0.005


def test_the_table_of_fields_tells_patient_and_scale(drawn):
    table = pd.read_csv(drawn / "fields.csv")
    assert list(table["field"]) == sorted(path.name for path in drawn.glob("*.png"))
    assert table["group"].str.fullmatch(r"P\d\d").all()
    assert (table["um_per_pixel"] == UM_PER_PIXEL).all()


def test_a_count_below_one_is_refused(tmp_path):
    with pytest.raises(UserError, match="count must be at least 1, but is 0"):
        generate_fields(tmp_path / "fields", count=0, seed=0)
