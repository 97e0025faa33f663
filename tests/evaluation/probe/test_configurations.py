"""Which encoders are of one configuration, so that the mean of their folds is a figure."""

import copy
from dataclasses import replace

import pytest

from mk11.evaluation.probe.configurations import Probed, means
from mk11.evaluation.probe.encoders import encoder_of


@pytest.fixture
def probed(run, result):
    """Makes the encoder of a fold with its result; keys change its config."""
    made = encoder_of(run, class_token=False)

    def make(fold, *, name="folder/mae", drawn="", found=None, **changes):
        config = copy.deepcopy(dict(made.config)) | {"fold": fold, "model": {"weights": "none"}} | changes
        encoder = replace(made, name=f"{name}/fold{fold}-seed0-1a2b3c4d{drawn}", config=config)
        return Probed(encoder, [found or result(data__fold=fold)])

    return make


def folds(mean):
    return [result["data"]["fold"] for result in mean.results]


def test_encoders_that_differ_in_their_fold_are_one_configuration(probed):
    (mean,) = means([probed(2), probed(0), probed(10), probed("final")])
    assert mean.name == "folder/mae"
    assert folds(mean) == [0, 2, 10, "final"]


def test_one_fold_has_no_mean(probed):
    assert means([probed(0)]) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"epochs": 5},
        {"name": "folder/mixmim"},
        {"drawn": ", untrained-seed0"},
        {"model": {"weights": "imagenet"}},
        {"pool": {"um_per_pixel": 0.2}},
    ],
    ids=str,
)
def test_what_differs_otherwise_is_another_configuration(probed, changes):
    assert means([probed(0), probed(1, **changes)]) == []
    (mean,) = means([probed(0), probed(1, **changes), probed(2, **changes)])
    assert folds(mean) == [1, 2]


def test_what_belongs_to_a_fold_or_to_its_checks_makes_no_difference(probed):
    one = probed(0, pool={"manifests": ["fold0/selected.parquet"]}, health={"every": 5}, monitor="loss")
    other = probed(1, pool={"manifests": ["fold1/selected.parquet"]}, health={"every": 0})
    assert len(means([one, other])) == 1


def test_another_pooling_or_data_set_is_not_averaged(probed, result):
    assert means([probed(0), probed(1, found=result(data__fold=1, class_token=True))]) == []
    assert means([probed(0), probed(1, found=result(data__fold=1, data__classes=["a", "c"]))]) == []


def test_two_encoders_of_one_fold_are_not_averaged(probed):
    assert means([probed(0), probed(1), probed(1)]) == []


def test_an_encoder_without_a_run_or_on_several_folds_is_left_alone(probed, result):
    several = probed(1)._replace(results=[result(data__fold=1), result(data__fold=2)])
    alone = probed(1)
    assert means([probed(0), several]) == []
    assert means([probed(0), alone._replace(encoder=replace(alone.encoder, config=None))]) == []


def test_untrained_networks_have_a_mean_of_their_own(probed):
    trained = [probed(fold) for fold in (0, 1)]
    drawn = [probed(fold, drawn=", untrained-seed0") for fold in (0, 1)]
    assert [mean.name for mean in means([*trained, *drawn])] == ["folder/mae", "folder/mae, untrained-seed0"]
