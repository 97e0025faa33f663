from pathlib import Path

import pandas as pd
import pytest
import yaml

from mk11.data.label_map import read_label_map, relabel
from mk11.errors import UserError

SHIPPED = Path(__file__).resolve().parents[2] / "conf/data/label_map"
IMAGES = pd.DataFrame({"subtype": ["C", "A", "B", "A"]}, index=[3, 5, 7, 9])
PUBLISHED = ["MK-blast", "Pro-MK", "G-MK", "PP-MK", "NN-MK", "N-MK", "S-MK", "MMK", "MN-MK", "HL-MK", "CA-MK"]


def shipped(name):
    return read_label_map(yaml.safe_load((SHIPPED / f"{name}.yaml").read_text()))


def test_without_a_map_classes_are_sorted():
    relabelled = relabel(IMAGES, None)
    assert relabelled.classes == ("A", "B", "C")
    assert relabelled.images is IMAGES


def test_a_map_renames_merges_drops_and_orders():
    relabelled = relabel(IMAGES, {"Z": "unused", "C": "late", "A": "late", "B": "early"})
    assert relabelled.classes == ("late", "early")
    assert relabelled.images["subtype"].tolist() == ["late", "late", "early", "late"]
    dropped = relabel(IMAGES, {"B": "b", "A": None, "C": "c"})
    assert dropped.classes == ("b", "c")
    assert dropped.images.index.tolist() == [3, 7]


def test_an_unknown_class_names_the_closest_one():
    with pytest.raises(
        UserError, match=r"must name every class, but lacks MK-Blast \(closest to MK-Blast: MK-blast\)"
    ):
        relabel(pd.DataFrame({"subtype": ["MK-Blast"]}), shipped("mk11_letters"))


def test_one_class_is_not_enough():
    with pytest.raises(UserError, match="must have at least two classes, but has same"):
        relabel(IMAGES, {"A": "same", "B": "same", "C": None})


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_file_may_be_plain_or_one_of_the_shipped(tmp_path, wrapped):
    content = {1: "one", "B": None}
    (tmp_path / "map.yaml").write_text(yaml.safe_dump({"map": content} if wrapped else content))
    for given in (str(tmp_path / "map.yaml"), {"file": str(tmp_path / "map.yaml"), "map": {"x": "y"}}):
        assert read_label_map(given) == {"1": "one", "B": None}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a\n- b\n", "must map old names to new ones"),
        ("a: [b]\n", "one new name or null"),
        ("a: b: c\n", "must be YAML"),
    ],
)
def test_a_faulty_file_is_told_in_one_sentence(tmp_path, text, told):
    (tmp_path / "map.yaml").write_text(text)
    with pytest.raises(UserError, match=told):
        read_label_map(str(tmp_path / "map.yaml"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        UserError, match=r"data\.label_map\.file must be an existing YAML file, but is .*gone"
    ):
        read_label_map(str(tmp_path / "gone.yaml"))


def test_no_map_is_no_map():
    assert read_label_map(None) is None
    assert shipped("none") is None


def test_letters_names_and_the_papers_names_are_each_others_inverse():
    published = pd.DataFrame({"subtype": PUBLISHED})
    assert relabel(published, shipped("mk11_letters")).classes == tuple("ABCDEFGHIJK")
    for other in ("mk11_letters", "activessf", "mk11_names"):
        there = relabel(published, shipped(other)).images
        assert relabel(there, shipped("mk11_names")).images["subtype"].tolist() == PUBLISHED
    assert relabel(published, shipped("mk11_names")).classes == tuple(PUBLISHED)


def test_the_papers_names_stand_for_the_right_classes():
    names = dict(
        zip(
            PUBLISHED,
            relabel(pd.DataFrame({"subtype": PUBLISHED}), shipped("activessf")).images["subtype"],
            strict=True,
        )
    )
    assert {old: new for old, new in names.items() if old != new} == {
        "MK-blast": "P-MK",
        "Pro-MK": "IMK",
        "MN-MK": "MR-MK",
    }


def test_dysplastic_or_not_covers_every_class():
    assert set(relabel(pd.DataFrame({"subtype": PUBLISHED}), shipped("dysplastic")).classes) == {
        "dysplastic",
        "not dysplastic",
    }


def test_eleven_of_the_eighteen_blood_classes_are_shared():
    names = shipped("mll23_shared")
    own = {name for name in names if name.islower() and name != "erythroblast"}
    assert len(own) == 18
    assert len({names[name] for name in own} - {None}) == 11
    assert names["NGS"] == names["SNE"] == names["neutrophil_segmented"]
