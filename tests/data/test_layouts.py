import pytest

from mk11.data.layouts import list_files
from mk11.errors import UserError


@pytest.fixture
def listed(csv_format):
    def read(root, layout="auto", file=None):
        return list_files(root=root, layout=layout, file=file, csv_format=csv_format)

    return read


def test_class_folders_give_each_image_its_folders_name(class_folders, listed):
    listing = listed(class_folders)
    assert listing["subtype"].value_counts().to_dict() == {"b": 10, "a": 8, "c": 6}
    assert set(listing["fold"]) == {-1}
    assert all(
        name.startswith(subtype + "/")
        for name, subtype in zip(listing["id"], listing["subtype"], strict=True)
    )


def test_eighteen_classes_are_as_good_as_two(tmp_path, save, listed):
    for number in range(18):
        save(tmp_path / f"class{number}" / "deep" / "cell.tif", number)
    assert listed(tmp_path)["subtype"].nunique() == 18


def test_hidden_files_and_other_suffixes_are_left_out(class_folders, save, listed):
    before = list(listed(class_folders)["id"])
    save(class_folders / "a" / "._cell.png", 1)
    save(class_folders / ".mk11" / "cell.png", 2)
    save(class_folders / "__MACOSX" / "cell.png", 3)
    (class_folders / "a" / "notes.txt").write_text("none")
    (class_folders / "readme.md").write_text("none")
    assert list(listed(class_folders)["id"]) == before


def test_folds_of_another_form_are_not_taken_for_classes(tmp_path, save, listed):
    for fold in range(3):
        save(tmp_path / f"fold_{fold}" / "all" / "cell.bmp", fold)
    with pytest.raises(UserError, match=r"fold_<k> folders must hold train/<class> folders"):
        listed(tmp_path)


def test_the_published_archive_is_read_by_its_folds_not_as_two_classes(tmp_path, save, listed):
    for subtype in ("MMK", "S-MK"):
        save(tmp_path / "MK-11" / subtype / "a.png", 1)
        for fold in range(2):
            for split in ("train", "val", "test"):
                save(tmp_path / "MK-11-CV5" / f"fold_{fold}" / split / subtype / f"{split}.png", 2)
    listing = listed(tmp_path)
    assert set(listing["subtype"]) == {"MMK", "S-MK"}
    assert set(listing["fold"]) == {0, 1}
    assert "MK-11-CV5/fold_1/val/MMK/val.png" in set(listing["id"])


def test_a_folder_of_class_folders_one_level_too_high_is_named(tmp_path, save, listed):
    save(tmp_path / "MK-11" / "MMK" / "a.png", 1)
    save(tmp_path / "MK-11" / "S-MK" / "a.png", 2)
    with pytest.raises(UserError, match=r"must hold several class folders, but .* holds MK-11 alone"):
        listed(tmp_path)


@pytest.mark.parametrize("parts", [("train", "test"), ("Training", "Validation")])
def test_parts_of_a_data_set_are_not_taken_for_classes(tmp_path, save, listed, parts):
    for part in parts:
        save(tmp_path / part / "MMK" / "a.png", 1)
    with pytest.raises(UserError, match=f"must hold class folders, but .* holds {', '.join(sorted(parts))}"):
        listed(tmp_path)


@pytest.mark.parametrize("layout", ["auto", "class_folders"])
def test_several_sets_of_folds_are_not_taken_for_classes(tmp_path, save, listed, layout):
    for name in ("CV5", "CV10"):
        save(tmp_path / name / "fold_0" / "train" / "MMK" / "a.png", 1)
    with pytest.raises(UserError, match=r"must hold class folders, but .*CV10 holds published folds"):
        listed(tmp_path, layout)


def test_patients_within_classes_are_not_taken_for_classes(tmp_path, save, listed):
    for subtype in ("MMK", "S-MK"):
        for patient in ("P1", "P2"):
            save(tmp_path / subtype / patient / "a.png", 1)
    assert set(listed(tmp_path)["subtype"]) == {"MMK", "S-MK"}


def test_an_empty_class_folder_is_named(class_folders, listed):
    (class_folders / "d").mkdir()
    with pytest.raises(UserError, match=r"each class folder must hold images, but `d` in .* holds none"):
        listed(class_folders)


def test_a_missing_root_is_named(tmp_path, listed):
    with pytest.raises(UserError, match=r"data\.root must be an existing folder, but is .*nowhere"):
        listed(tmp_path / "nowhere")


def test_a_root_without_folders_is_refused(tmp_path, save, listed):
    save(tmp_path / "cell.png", 0)
    with pytest.raises(UserError, match=r"data\.root must hold one folder of images per class"):
        listed(tmp_path)


def test_an_unknown_layout_is_refused(class_folders, listed):
    with pytest.raises(UserError, match=r"data\.layout must be one of auto, .*, but is folders"):
        listed(class_folders, layout="folders")


def test_published_folds_keep_their_splits(published, listed):
    listing = listed(published)
    assert len(listing) == 3 * 18
    assert listing.groupby(["fold", "split"]).size().unique().tolist() == [6]
    assert listing["id"].iloc[0].startswith("fold_0/train/class0/")


def test_a_class_may_be_absent_from_one_published_part_but_not_from_all(published, listed):
    (published / "fold_0/val/class2").mkdir()
    with pytest.raises(UserError, match="`class2`"):
        listed(published)
    (published / "fold_0/train/class2").mkdir()
    next((published / "fold_0/train/class0").iterdir()).rename(published / "fold_0/train/class2/cell.png")
    assert "class2" in set(listed(published)["subtype"])


def test_the_published_layout_asked_for_must_be_there(class_folders, listed):
    with pytest.raises(UserError, match="must hold fold_<k>/train/<class> folders"):
        listed(class_folders, layout="published_folds")


@pytest.mark.parametrize("line", ["{}.bmp all", "{}.bmp\tall", "{}.bmp, all", "{} all", "image/{}.bmp all"])
@pytest.mark.parametrize("header", ["", "name label\n"])
def test_lists_take_spaces_tabs_and_commas_with_or_without_a_header(tmp_path, save, listed, line, header):
    for number, split in enumerate(("train", "val", "test")):
        save(tmp_path / "image" / f"{number}.bmp", number)
        (tmp_path / f"{split}.txt").write_text(header + line.format(number) + "\n\n")
    listing = listed(tmp_path)
    assert listing["id"].tolist() == ["image/0.bmp", "image/1.bmp", "image/2.bmp"]
    assert listing["split"].tolist() == ["train", "val", "test"]
    assert set(listing["subtype"]) == {"all"}
    assert set(listing["fold"]) == {0}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("gone.bmp all", "gone.bmp is not there"),
        ("0.bmp", "must be `name label`"),
        ("0.bmp,all,1", "must be `name"),
    ],
)
def test_lists_that_name_no_image_or_no_label_are_refused(tmp_path, save, listed, line, told):
    save(tmp_path / "image" / "0.bmp", 0)
    (tmp_path / "train.txt").write_text(f"0.bmp all\n{line}\n")
    with pytest.raises(UserError, match=told):
        listed(tmp_path)


def test_lists_asked_for_must_be_there(class_folders, listed):
    with pytest.raises(UserError, match=r"must hold image/ and train\.txt"):
        listed(class_folders, layout="lists")


def test_a_table_in_the_folder_wins_over_the_folders(class_folders, listed):
    (class_folders / "cells.csv").write_text("path,subtype,group,x\na/p0_0.png,new,g1,7\n")
    listing = listed(class_folders)
    assert listing[["id", "subtype", "group"]].values.tolist() == [["a/p0_0.png", "new", "g1"]]
    assert len(listed(class_folders, layout="class_folders")) == 24
