import numpy as np
import pandas as pd
import pytest
from cohorts import COHORTS, cohort, index_of
from hypothesis import given, settings
from hypothesis import strategies as st

from mk11.data.folds import compute_folds, fold_settings, make_folds
from mk11.data.holdout import HoldoutSettings
from mk11.errors import UserError

NO_HOLDOUT = HoldoutSettings(None, 0, None)
pytestmark = pytest.mark.usefixtures("few_rounds")


def settings_of(count=5, seed=0, val_fraction=0.2, file=None):
    return fold_settings({"count": count, "seed": seed, "val_fraction": val_fraction, "file": file})


@settings(max_examples=15, deadline=None)
@given(COHORTS)
def test_no_patient_and_no_content_is_in_two_splits(images):
    splits = compute_folds(images, count=4, seed=0, val_fraction=0.2)
    for column in ("group", "content_hash"):
        known = images[column] != ""
        for fold in splits:
            assert (
                splits[fold][known].groupby(images[column][known]).nunique().max() in (1, np.nan)
                or not known.any()
            )


@settings(max_examples=15, deadline=None)
@given(COHORTS)
def test_each_image_is_tested_once_unless_its_unit_alone_holds_a_class(images):
    splits = compute_folds(images, count=4, seed=0, val_fraction=0.2)
    assert set(np.unique(splits.to_numpy(dtype=str))) <= {"train", "val", "test"}
    tested = (splits == "test").sum(axis=1)
    assert tested.max() == 1
    assert (splits[tested == 0] == "train").all(axis=None)
    kept = images[tested == 0]
    if len(kept) and not (images["group"] != "").any():
        assert kept["content_hash"].nunique() <= images["subtype"].nunique()


@settings(max_examples=10, deadline=None)
@given(COHORTS, st.integers(0, 99))
def test_folds_follow_from_contents_not_from_names_or_order(images, seed):
    keys = {"count": 4, "seed": 0, "val_fraction": 0.2}
    expected = compute_folds(images, **keys)
    shuffled = images.sample(frac=1, random_state=seed)
    renamed = shuffled.assign(id=[f"other{row}" for row in range(len(images))]).reset_index(drop=True)
    found = compute_folds(renamed, **keys)
    found.index = shuffled.index
    pd.testing.assert_frame_equal(found.sort_index(), expected)


def test_classes_are_balanced_over_folds_and_splits():
    images = cohort(0, count=600, patients=0)
    splits = compute_folds(images, count=5, seed=0, val_fraction=0.25)
    for fold in splits:
        shares = pd.crosstab(images["subtype"], splits[fold], normalize="index")
        assert (shares - pd.Series({"test": 0.2, "train": 0.6, "val": 0.2})).abs().max(axis=None) < 0.03


def test_another_seed_makes_other_folds():
    images = cohort(0)
    first, other = (compute_folds(images, count=5, seed=seed, val_fraction=0.2) for seed in (0, 1))
    assert not first.equals(other)


def test_a_class_of_one_image_trains_in_every_fold_and_is_told(tmp_path):
    images = cohort(0, patients=0)
    images.loc[0, "subtype"] = "basophil"
    folds = make_folds(index_of(images), settings_of(), NO_HOLDOUT, tmp_path)
    assert set(folds.splits.loc[0]) == {"train"}
    assert folds.warnings == ["class basophil has 1 image: it trains in every fold and is never tested"]


def test_a_class_of_fewer_patients_than_folds_is_told_and_always_trains(tmp_path):
    images = cohort(0, count=200, patients=20)
    rare = images["group"].isin(["p1", "p2"])
    images.loc[~rare & (images["subtype"] == "z"), "subtype"] = "x"
    images.loc[rare.idxmax(), "subtype"] = "z"
    folds = make_folds(index_of(images), settings_of(), NO_HOLDOUT, tmp_path)
    patients = images.loc[images["subtype"] == "z", "group"].nunique()
    assert patients == 2
    assert folds.warnings == ["class z has 2 groups, fewer than the 5 folds: some do not test it"]
    assert all("train" in set(folds.splits.loc[images["subtype"] == "z", fold]) for fold in range(5))


def test_computed_folds_are_frozen_and_reused(tmp_path):
    images = cohort(0)
    first = make_folds(index_of(images), settings_of(), NO_HOLDOUT, tmp_path).splits
    (file,) = tmp_path.glob("folds-*.csv")
    frozen = pd.read_csv(file)
    assert list(frozen) == ["path", "subtype", "group", *(f"fold_{fold}" for fold in range(5))]
    frozen.loc[frozen["fold_0"] == "val", "fold_0"] = "train"  # by hand, to see that the file is what counts
    frozen.loc[0, "fold_0"] = "val"
    frozen.to_csv(file, index=False)
    again = make_folds(index_of(images), settings_of(), NO_HOLDOUT, tmp_path).splits
    assert (again[0] == "val").sum() == 1
    pd.testing.assert_frame_equal(again.drop(columns=0), first.drop(columns=0))


@pytest.mark.parametrize("change", [{"count": 4}, {"seed": 1}, {"val_fraction": 0.3}])
def test_other_settings_freeze_another_file(tmp_path, change):
    images = cohort(0)
    make_folds(index_of(images), settings_of(), NO_HOLDOUT, tmp_path)
    make_folds(index_of(images), settings_of(**change), NO_HOLDOUT, tmp_path)
    assert len(list(tmp_path.glob("folds-*.csv"))) == 2


def test_a_fold_file_of_ones_own_is_taken_as_it_is(tmp_path):
    images = cohort(0, count=6)
    splits = ["train", "train", "val", "test", "", "train"]
    pd.DataFrame({"path": images["id"], "fold_3": splits, "extra": "x"}).to_csv(
        tmp_path / "mine.csv", index=False
    )
    folds = make_folds(index_of(images), settings_of(file=tmp_path / "mine.csv"), NO_HOLDOUT, tmp_path)
    assert folds.origin == "file"
    assert folds.splits.to_dict("list") == {3: splits}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("path,fold_0\nother.png,train\n", "must name every image, but lacks 2, such as a.png"),
        ("path,fold_0\na.png,train\nb.png,trian\n", "must be train, val, test or empty, but one is trian"),
        ("path,split\na.png,train\n", "must have a column path and columns fold_0, fold_1"),
    ],
)
def test_a_faulty_fold_file_is_told_in_one_sentence(tmp_path, text, told):
    (tmp_path / "mine.csv").write_text(text)
    images = pd.DataFrame({"id": ["a.png", "b.png"], "subtype": "x", "group": "", "content_hash": ["1", "2"]})
    with pytest.raises(UserError, match=told):
        make_folds(index_of(images), settings_of(file=tmp_path / "mine.csv"), NO_HOLDOUT, tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"count": 1}, r"data\.folds\.count must be a whole number of at least 2, but is 1"),
        ({"count": 13}, r"data\.folds\.count must be at most 12, .* but is 13"),
        ({"val_fraction": 1.0}, r"data\.folds\.val_fraction must be a number in \(0, 1\), but is 1"),
    ],
)
def test_settings_out_of_range_are_refused(tmp_path, change, told):
    with pytest.raises(UserError, match=told):
        make_folds(index_of(cohort(0, count=200)), settings_of(**change), NO_HOLDOUT, tmp_path)


def test_a_missing_fold_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"data\.folds\.file must be an existing CSV file, but is .*gone"):
        make_folds(index_of(cohort(0)), settings_of(file=tmp_path / "gone.csv"), NO_HOLDOUT, tmp_path)


def test_published_folds_are_taken_and_lack_only_what_was_not_published(tmp_path):
    images = cohort(0, count=60, patients=0)
    published = pd.DataFrame(
        {0: ["test"] * 12 + ["train"] * 48, 1: ["val"] * 12 + ["test"] * 12 + ["train"] * 36}
    )
    folds = make_folds(index_of(images, published), settings_of(), NO_HOLDOUT, tmp_path)
    assert folds.origin == "published"
    assert folds.splits[1].tolist() == published[1].tolist()
    assert (folds.splits[0] == "test").tolist() == (published[0] == "test").tolist()
    assert 7 <= (folds.splits[0] == "val").sum() <= 12  # a fifth of 48
    assert not list(tmp_path.iterdir())
