"""Which folds an encoder is asked about, and which it must not be asked about."""

import pytest

from mk11.errors import UserError
from mk11.evaluation.probe.data import DataSets, is_fold
from mk11.evaluation.probe.encoders import encoder_of
from mk11.evaluation.probe.from_timm import encoder_of_timm


@pytest.fixture
def encoder(run):
    return encoder_of(run, class_token=False)


@pytest.fixture
def untrained():
    return encoder_of_timm("test_vit", weights="none", image_size=32, class_token=False, seed=0, home=None)


def folder(cells, *more):
    return DataSets(["data=folder", f"data.root={cells}", "data.folds.count=3", *more])


def numbers(asked):
    return [one.fold.fold for one in asked]


def test_a_runs_own_fold_of_its_own_data_is_the_default(encoder, data):
    (asked,) = DataSets([]).asked(encoder, [])
    assert asked.fold.fold == 1
    assert asked.fold.fingerprint == data.fold(1).fingerprint
    assert "weights" not in asked.marks


def test_folds_can_be_named_or_all_be_asked_for(untrained, cells):
    sets = folder(cells)
    assert numbers(sets.asked(untrained, ["2", "0"])) == [2, 0]
    assert numbers(sets.asked(untrained, ["all"])) == [0, 1, 2]
    assert numbers(sets.asked(untrained, [])) == [0]
    with pytest.raises(UserError, match="fold must be one of 0, 1, 2, but is 7"):
        sets.asked(untrained, ["7"])


def test_a_fold_whose_held_out_images_the_encoder_saw_is_refused(encoder):
    with pytest.raises(UserError, match=r"must not have seen the validation or test images of fold 0"):
        DataSets([]).asked(encoder, ["0"])


def test_it_goes_on_and_is_marked_where_the_user_says_so(encoder, data):
    clean, leaking = DataSets(["data.on_leak=warn"]).asked(encoder, ["1", "0"])
    held_out = data.fold(0).table.query("split != 'train'")["content_hash"]
    seen = len(set(held_out) & encoder.trained_on)
    assert seen > 0
    assert leaking.marks["weights"] == [
        f"{encoder.name} was trained on {seen} of this fold's validation and test images"
    ]
    assert "weights" not in clean.marks


def test_the_check_is_by_content_whatever_the_data_set_is_called(encoder, cells):
    with pytest.raises(UserError, match="must not have seen"):
        folder(cells).asked(encoder, ["0"])


def test_keys_change_the_data_of_the_run(encoder):
    (asked,) = DataSets(["data.resize=fixed_scale", "data.target_um_per_pixel=0.5"]).asked(encoder, [])
    assert (asked.data.resize, asked.data.target_um_per_pixel) == ("fixed_scale", 0.5)


def test_another_data_set_starts_at_its_fold_0(encoder, cells):
    assert numbers(folder(cells, "data.on_leak=warn").asked(encoder, [])) == [0]


def test_data_asked_for_twice_is_read_once(encoder, run):
    sets = DataSets([])
    first, second = (sets.asked(one, [])[0] for one in (encoder, encoder_of(run, class_token=False)))
    assert first.data is second.data


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["data.no_such_key=1"], "KEY=VALUE must be a key of the run's data"),
        (["data.on_leak=perhaps"], "data.on_leak must be one of"),
        (["data=no_such_set"], "KEY=VALUE must be keys of conf/data"),
        (["data=folder", "data.no_such_key=1"], "KEY=VALUE must be keys of conf/data"),
        (["data=folder", "data.root=/no/such/folder"], "/no/such/folder"),
        (["data=folder"], r"^data\.root must be given: add data\.root="),
        (
            ["data.root=[x"],
            r"^KEY=VALUE must be a key of the run's data and a value in YAML, but is data\.root=",
        ),
        (["data=folder", "data.root=[x"], r"^KEY=VALUE must be keys of conf/data"),
        (["data/label_map=none"], "KEY=VALUE must be a key of the run's data"),
    ],
)
def test_a_mistake_in_a_key_is_told(encoder, overrides, told):
    with pytest.raises(UserError, match=told):
        DataSets(overrides).asked(encoder, [])


def test_words_that_name_folds_are_known():
    words = ("0", "12", "all", "final", "-1", "runs/x", "1.5", "", "\u00b2", "\u0663")
    assert [word for word in words if is_fold(word)] == ["0", "12", "all", "final"]
