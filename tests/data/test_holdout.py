"""What is locked away: drawn, or named in a file."""

import numpy as np
import pandas as pd
import pytest
from cohorts import COHORTS, cohort, index_of
from hypothesis import given, settings
from hypothesis import strategies as st

from mk11.data.folds import FoldSettings, make_folds
from mk11.data.holdout import (
    HoldoutSettings,
    check_holdout,
    draw_holdout,
    holdout_settings,
    locked_images,
    read_holdout,
)
from mk11.errors import UserError

pytestmark = pytest.mark.usefixtures("few_rounds")
FOLDS = FoldSettings(count=4, seed=0, val_fraction=0.2, file=None)
FIVE = pd.DataFrame(
    {
        "id": [f"{name}.png" for name in "abcde"],
        "subtype": list("xyxyx"),
        "group": ["p, 1", "p2", "p, 1", "", ""],
        "content_hash": list("01234"),
    },
    dtype="str",
)


def folds_of(images, published=None, fraction=None, file=None, folder=None):
    return make_folds(index_of(images, published), FOLDS, HoldoutSettings(fraction, 0, file), folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("frozen")


@settings(max_examples=25, deadline=None)
@given(COHORTS, st.sampled_from([0.1, 0.25, 0.5]))
def test_no_patient_and_no_content_is_on_two_sides_of_a_holdout_or_of_the_final_fold(
    folder, images, fraction
):
    folds = folds_of(images, fraction=fraction, folder=folder)
    final = folds.splits["final"]
    for column in ("group", "content_hash"):
        known = images[column] != ""
        for sides in (folds.locked, final):
            assert (sides[known].groupby(images[column][known]).nunique() == 1).all()


@settings(max_examples=25, deadline=None)
@given(COHORTS, st.sampled_from([0.1, 0.25, 0.5]))
def test_what_is_locked_away_is_tested_by_the_final_fold_alone_and_the_rest_at_most_once(
    folder, images, fraction
):
    folds = folds_of(images, fraction=fraction, folder=folder)
    assert folds.numbers == (0, 1, 2, 3)
    assert list(folds.splits) == [0, 1, 2, 3, "final"]
    numbered, final = folds.splits[[0, 1, 2, 3]], folds.splits["final"]
    assert 0 < folds.locked.sum() < len(images)
    assert (numbered[folds.locked] == "").all(axis=None)
    assert (numbered[~folds.locked] != "").all(axis=None)
    assert ((numbered == "test").sum(axis=1) <= 1).all()
    assert ((final == "test") == folds.locked).all()
    assert set(final[~folds.locked]) == {"train", "val"}
    assert set(images.loc[~folds.locked, "subtype"]) == set(images.loc[final == "train", "subtype"])


@settings(max_examples=10, deadline=None)
@given(COHORTS, st.integers(0, 99))
def test_a_holdout_follows_from_contents_not_from_names_or_order(images, seed):
    expected = draw_holdout(images, fraction=0.25, seed=3)
    shuffled = images.sample(frac=1, random_state=seed)
    renamed = shuffled.assign(id=[f"other{row}" for row in range(len(images))]).reset_index(drop=True)
    found = draw_holdout(renamed, fraction=0.25, seed=3)
    found.index = shuffled.index
    pd.testing.assert_series_equal(found.sort_index(), expected)


def test_a_holdout_is_about_its_share_of_each_class():
    for patients in (0, 200):
        images = cohort(0, count=2000, patients=patients)
        shares = draw_holdout(images, fraction=0.2, seed=0).groupby(images["subtype"]).mean()
        assert (shares - 0.2).abs().max() < 0.02


def test_another_seed_locks_others_away():
    images = cohort(0)
    first, again, other = (draw_holdout(images, fraction=0.3, seed=seed) for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)


def test_a_patient_who_alone_has_a_class_is_never_locked_away():
    images = cohort(0, count=200)
    images.loc[images["subtype"] == "z", "group"] = "rare"
    for seed in range(5):
        assert not draw_holdout(images, fraction=0.4, seed=seed)[images["group"] == "rare"].any()


def test_a_share_of_nothing_is_refused():
    told = r"data\.holdout\.fraction must be enough to lock a group or image away, but 0\.001 of 12 is none"
    with pytest.raises(UserError, match=told):
        draw_holdout(cohort(0, count=200), fraction=0.001, seed=0)
    alone = FIVE.assign(group="p", subtype="x")
    with pytest.raises(UserError, match=r"but 0\.5 of 1 is none"):
        draw_holdout(alone, fraction=0.5, seed=0)


def test_without_a_holdout_nothing_is_locked_and_nothing_written(tmp_path):
    assert not locked_images(cohort(0), HoldoutSettings(None, 0, None), tmp_path).any()
    assert not list(tmp_path.iterdir())


def test_a_drawn_holdout_is_frozen_and_holds_under_other_file_names(tmp_path, monkeypatch):
    images, asked = cohort(0, twins=3), HoldoutSettings(0.25, 0, None)
    first = locked_images(images, asked, tmp_path)
    (file,) = tmp_path.glob("holdout-*.csv")
    frozen = pd.read_csv(file, dtype=str)
    assert list(frozen) == ["path", "subtype", "group", "content_hash"]
    assert set(frozen["path"]) == set(images.loc[first, "id"])
    monkeypatch.setattr("mk11.data.holdout.draw_holdout", None)
    assert locked_images(images.assign(id="renamed"), asked, tmp_path).equals(first)


@pytest.mark.parametrize("change", [{"seed": 1}, {"fraction": 0.3}])
def test_other_settings_freeze_another_holdout(tmp_path, change):
    for asked in ({}, change):
        locked_images(
            cohort(0), HoldoutSettings(**{"fraction": 0.25, "seed": 0, "file": None} | asked), tmp_path
        )
    assert len(list(tmp_path.glob("holdout-*.csv"))) == 2


def test_the_frozen_file_locks_the_same_patients_away_when_images_have_been_added(tmp_path):
    images = cohort(0)
    first = locked_images(images, HoldoutSettings(0.25, 0, None), tmp_path)
    (file,) = tmp_path.glob("holdout-*.csv")
    patients = set(images.loc[first, "group"])
    more = pd.concat([images, cohort(1).assign(id="more.png")], ignore_index=True)
    locked = locked_images(more, HoldoutSettings(None, 0, file), tmp_path)
    assert locked.tolist() == more["group"].isin(patients).tolist()
    assert locked[60:].any()


@pytest.mark.parametrize(
    ("text", "locked"),
    [
        ("p, 1\n", "ac"),
        ("\ufeffp, 1\n\n p2 \n", "abc"),
        ("group\np2\n", "b"),
        ('group\n"p, 1"\n', "ac"),
        ("note,patient\nx,p2\n", "b"),
        ("path\na.png\ne.png\n", "ae"),
        ("content_hash\n3\n", "d"),
        ('path,group\na.png,"p, 1"\nd.png,\n,\n', "acd"),  # of a known group all images, else the one named
        ("path,content_hash,group\nx,0,p2\ny,4,\n", "be"),
    ],
)
def test_a_file_names_groups_or_images(tmp_path, text, locked):
    (tmp_path / "locked.csv").write_text(text, encoding="utf-8")
    found = read_holdout(tmp_path / "locked.csv", FIVE, "data.holdout.file")
    assert "".join(FIVE.loc[found, "id"].str[0]) == locked


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p, 1\nP99\n", "must name what is in the data, but no image has the group P99"),
        ("path\nz.png\n", "but no image has the path z.png"),
        ("", "must lock some images away, but locks 0 of 5"),
        ("group\n", "must lock some images away, but locks 0 of 5"),
        ("path\n" + "".join(f"{name}.png\n" for name in "abcde"), "but locks 5 of 5"),
        ("group,path\n1,2,3\n1,2,3,4,5\n", "must be text or a CSV table in UTF-8, but is not"),
        (b"\xff\xfe\x00p", "must be text or a CSV table in UTF-8, but is not"),
    ],
)
def test_a_faulty_file_is_told_in_one_sentence(tmp_path, text, told):
    (tmp_path / "locked.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=told):
        read_holdout(tmp_path / "locked.csv", FIVE, "data.holdout.file")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"data\.holdout\.file must be an existing file, but is .*gone"):
        folds_of(cohort(0), file=tmp_path / "gone.txt", folder=tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fraction": 0}, r"data\.holdout\.fraction must be a number in \(0, 1\), but is 0"),
        ({"fraction": "abc"}, r"data\.holdout\.fraction must be a number in \(0, 1\), but is abc"),
        ({"seed": -1}, r"data\.holdout\.seed must be a whole number of at least 0, but is -1"),
        (
            {"fraction": 0.2, "file": "a.txt"},
            "must give a fraction or a file, not both, but gives 0.2 and a.txt",
        ),
    ],
)
def test_settings_out_of_range_are_refused(change, told):
    with pytest.raises(UserError, match=told):
        holdout_settings({"fraction": None, "seed": 0, "file": None} | change)


@pytest.mark.parametrize("value", [None, 0.2, {"fraction": 0.2}])
def test_keys_of_a_holdout_are_all_there(value):
    with pytest.raises(UserError, match=r"data\.holdout must give fraction, seed, file, but is "):
        holdout_settings(value)


def test_published_folds_stay_as_they_are_for_what_is_not_locked_away(tmp_path):
    images = cohort(0, count=60, patients=0)
    published = pd.DataFrame(
        {fold: np.roll(["test"] * 20 + ["val"] * 10 + ["train"] * 30, 20 * fold) for fold in range(3)}
    )
    folds = folds_of(images, published, fraction=0.25, folder=tmp_path)
    assert folds.origin == "published"
    assert folds.splits.loc[~folds.locked, [0, 1, 2]].equals(published[~folds.locked])
    assert ((folds.splits["final"] == "test") == folds.locked).all()
    assert 5 <= (folds.splits["final"] == "val").sum() <= 12  # a fifth of 45


def test_what_no_fold_uses_is_not_in_the_final_one_either_unless_it_is_locked_away(tmp_path):
    splits = ["train", "train", "", "test", ""]
    pd.DataFrame({"path": FIVE["id"], "fold_0": splits}).to_csv(tmp_path / "folds.csv", index=False)
    (tmp_path / "locked.csv").write_text("path\ne.png\n")
    asked = HoldoutSettings(None, 0, tmp_path / "locked.csv")
    own = FoldSettings(4, 0, 0.2, tmp_path / "folds.csv")
    folds = make_folds(index_of(FIVE.assign(group="")), own, asked, tmp_path)
    assert folds.splits["final"].isin(["train", "val"]).tolist() == [True, True, False, True, False]
    assert folds.splits.loc[4].tolist() == ["", "test"]


def test_classes_that_the_holdout_lacks_and_unknown_patients_are_told():
    locked = pd.Series([False, False, True, False, True])
    assert check_holdout(FIVE, locked, ("x", "y"), on_leak="warn") == [
        "class y has no image in the holdout: the final figure does not test it",
        "1 of 2 images in the holdout have no known group: other cells of the same patients may be in "
        "training",
    ]
    assert check_holdout(FIVE, locked & False, ("x", "y"), on_leak="stop") == []


def test_a_class_that_is_locked_away_as_a_whole_is_refused():
    with pytest.raises(UserError, match="must leave images of each class to train on, but locks y away"):
        check_holdout(FIVE, FIVE["subtype"] == "y", ("x", "y"), on_leak="stop")


def test_a_patient_on_both_sides_of_a_holdout_stops_every_fold():
    locked = pd.Series([True, False, False, True, False])
    told = r"in fold final 1 group leak:\n  a\.png \(locked away\) and c\.png \(not locked away\)"
    with pytest.raises(UserError, match=told):
        check_holdout(FIVE, locked, ("x", "y"), on_leak="stop")
    assert len(check_holdout(FIVE, locked, ("x", "y"), on_leak="warn")) == 1
