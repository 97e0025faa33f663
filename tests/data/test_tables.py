import math

import pytest

from mk11.data.tables import read_cells_csv
from mk11.errors import UserError


@pytest.fixture
def read(tmp_path, save, csv_format):
    for name in ("001.bmp", "002.bmp"):
        save(tmp_path / name, int(name[:3]))

    def read_text(text, path_format="{}", **columns):
        (tmp_path / "cells.csv").write_text(text)
        return read_cells_csv(tmp_path / "cells.csv", tmp_path, csv_format.columns | columns, path_format)

    return read_text


def test_group_and_scale_may_be_absent(read):
    assert read("path,subtype\n001.bmp,NA\n").values.tolist() == [["001.bmp", "NA"]]


def test_scale_is_a_number_per_image_or_unknown(read):
    scale = read("path,subtype,um_per_pixel\n001.bmp,a,0.253\n002.bmp,b,\n")["um_per_pixel"]
    assert scale[0] == 0.253
    assert math.isnan(scale[1])


@pytest.mark.parametrize("name", ["patient", "Patient_ID", "subject", "slide"])
def test_patients_under_another_name_are_groups_all_the_same(read, name):
    assert read(f"path,subtype,{name}\n001.bmp,a,p1\n002.bmp,b,p2\n")["group"].tolist() == ["p1", "p2"]


def test_a_patient_wins_over_a_slide_whichever_stands_first(read):
    assert read("path,subtype,slide,patient\n001.bmp,a,s1,p1\n")["group"].tolist() == ["p1"]


def test_other_columns_are_no_groups(read):
    assert "group" not in read("path,subtype,centre\n001.bmp,a,c1\n")


def test_a_group_column_wins_over_a_patient_column(read):
    assert read("path,subtype,patient,group\n001.bmp,a,p1,g1\n")["group"].tolist() == ["g1"]


def test_columns_and_paths_of_another_habit_are_taken_as_told(read):
    text = "image ID, class label,patient\n1,neutrophil,p7\n2,lymphocyte,p8\n"
    table = read(text, "{:0>3}.bmp", path="image ID", subtype="class label", group="patient")
    assert table["id"].tolist() == ["001.bmp", "002.bmp"]
    assert table["group"].tolist() == ["p7", "p8"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "path,label\n001.bmp,a\n",
            r"data\.columns\.subtype must be a column of .* \(path, label\), but is subtype",
        ),
        ("path,subtype\n001.bmp,\n", r"must have a subtype, but 001\.bmp has none"),
        ("path,subtype\n001.bmp,a\n001.bmp,b\n", r"must name each image once, but names 001\.bmp again"),
        ("path,subtype\n001.bmp,a\n9.bmp,b\n", r"1 of 2 are not there, such as 9\.bmp"),
        ("path,subtype,um_per_pixel\n001.bmp,a,fine\n", "must be a number above 0, but is fine"),
        ("path,subtype,um_per_pixel\n001.bmp,a,-1\n", "must be a number above 0, but is -1"),
        ("path,subtype\n", "must list cells, but has no rows"),
        ("", "must be a CSV table"),
    ],
)
def test_a_faulty_table_is_told_in_one_sentence(read, text, told):
    with pytest.raises(UserError, match=told):
        read(text)


def test_a_column_that_was_named_must_exist(read):
    with pytest.raises(UserError, match=r"data\.columns\.group must be a column .* but is patient"):
        read("path,subtype\n001.bmp,a\n", group="patient")


def test_a_faulty_path_format_is_named(read):
    with pytest.raises(
        UserError, match=r"data\.path_format must be a Python format for one text, but is \{:03d\}"
    ):
        read("path,subtype\n1,a\n", "{:03d}.bmp")


def test_a_missing_table_is_named(tmp_path, csv_format):
    with pytest.raises(UserError, match=r"data\.file must be an existing CSV table, but is .*gone\.csv"):
        read_cells_csv(tmp_path / "gone.csv", tmp_path, csv_format.columns, "{}")
