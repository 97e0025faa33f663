import numpy as np
import pytest
from PIL import Image

from mk11.errors import UserError
from mk11.selection.scoring.truth import read_truth

CORNERS = "<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>"
OBJECT = f"<object><name>{{}}</name><bndbox>{CORNERS}</bndbox></object>"
VOC = f"<annotation>{OBJECT.format('WBC', 1, 2, 11, 22)}{OBJECT.format('RBC', 5, 5, 9, 9)}</annotation>"
CELL = ["one", 1, 2, 11, 22, "WBC"]


def rows(table):
    return table.to_numpy().tolist()


def test_voc_boxes_are_read_by_kind(tmp_path):
    (tmp_path / "one.xml").write_text(VOC)
    assert rows(read_truth(tmp_path, images=None, kinds=["WBC"])) == [CELL]
    assert len(read_truth(tmp_path, images=None, kinds=None)) == 2


def test_yolo_shares_become_pixels_of_the_field(tmp_path):
    (tmp_path / "labels").mkdir()
    Image.new("RGB", (100, 50)).save(tmp_path / "one.png")
    (tmp_path / "labels" / "one.txt").write_text(
        "0 0.06 0.24 0.1 0.4\n0 0.06 0.24 0.1 0.4\n1 0.5 0.5 0.2 0.2\n"
    )
    found = read_truth(tmp_path / "labels", images=tmp_path, kinds=["0"])
    assert rows(found) == [["one", 1, 2, 11, 22, "0"]]  # the same box twice is one cell


def test_yolo_without_the_fields_is_refused(tmp_path):
    (tmp_path / "one.txt").write_text("0 0.5 0.5 0.1 0.1")
    with pytest.raises(UserError, match="give the folder of the fields"):
        read_truth(tmp_path, images=None, kinds=None)
    with pytest.raises(UserError, match="must hold the field one"):
        read_truth(tmp_path, images=tmp_path, kinds=None)


def test_a_table_of_drawn_fields_is_read_without_suffixes(tmp_path):
    (tmp_path / "boxes.csv").write_text("field,x0,y0,x1,y1,kind\none.png,1,2,11,22,WBC\n")
    assert rows(read_truth(tmp_path / "boxes.csv", images=None, kinds=None)) == [CELL]


def test_a_table_that_lacks_a_column_is_told(tmp_path):
    (tmp_path / "boxes.csv").write_text("field,x0\none,1\n")
    with pytest.raises(UserError, match="lacks y0, x1, y1, kind"):
        read_truth(tmp_path / "boxes.csv", images=None, kinds=None)


def test_masks_become_boxes_about_their_parts(tmp_path):
    mask = np.zeros((60, 80, 3), np.uint8)
    mask[5:25, 10:30] = 255
    mask[4, 10:30] = 60  # a blended edge
    mask[40:43, 40:43] = 255  # a speck
    Image.fromarray(mask).save(tmp_path / "one.png")
    assert rows(read_truth(tmp_path, images=None, kinds=None)) == [["one", 10, 5, 30, 25, "mask"]]


def test_a_broken_file_and_an_empty_folder_are_told(tmp_path):
    with pytest.raises(UserError, match="none of these"):
        read_truth(tmp_path, images=None, kinds=None)
    (tmp_path / "one.xml").write_text(VOC.replace("<xmin>1</xmin>", ""))
    with pytest.raises(UserError, match="must hold marked cells"):
        read_truth(tmp_path, images=None, kinds=None)
