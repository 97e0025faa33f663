import math

import numpy as np
import optuna
import pytest
from scipy import stats

from mk11.errors import UserError
from mk11.search.space import Parameter

NUMBERS = {
    "uniform": {"distribution": "uniform", "min": 0.5, "max": 2.0},
    "log_uniform_values": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-1},
    "log_uniform": {"distribution": "log_uniform", "min": -5.0, "max": 0.0},
    "int_uniform": {"distribution": "int_uniform", "min": 3, "max": 9},
    "q_uniform": {"distribution": "q_uniform", "min": 0.0, "max": 0.2, "q": 0.05},
    "q_log_uniform_values": {"distribution": "q_log_uniform_values", "min": 8, "max": 256, "q": 8},
    "normal": {"distribution": "normal", "mu": 2.0, "sigma": 0.5},
    "q_normal": {"distribution": "q_normal", "mu": 10.0, "sigma": 3.0, "q": 1},
    "log_normal": {"distribution": "log_normal", "mu": -1.0, "sigma": 0.5},
    "beta": {"distribution": "beta", "a": 2, "b": 5},
}


def drawn(told, *, count=600):
    """Values of as many random trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    parameter = Parameter("p", told)
    return [parameter.suggest(study.ask()) for _ in range(count)]


@pytest.mark.parametrize("name", NUMBERS)
def test_values_are_distributed_as_wandbs_own_engine_has_them(name):
    from sweeps.params import HyperParameter

    own = np.array([float(value) for value in drawn(NUMBERS[name])])
    reference = HyperParameter("p", dict(NUMBERS[name]))
    theirs = np.array([float(reference.ppf(share)) for share in np.linspace(0.0005, 0.9995, 4000)])
    theirs = theirs.round(12)  # 0.15000000000000002
    # The whole distribution: largest distance of the two cumulative curves (1.63 / sqrt(600) is p = 0.01).
    assert stats.ks_2samp(own, theirs).statistic < 0.067


@pytest.mark.parametrize("name", ["q_uniform", "q_log_uniform_values", "q_normal"])
def test_quantised_values_are_multiples_said_as_a_person_would(name):
    step = NUMBERS[name]["q"]
    for value in set(drawn(NUMBERS[name])):
        assert len(value) <= 5
        assert math.isclose(float(value) / step, round(float(value) / step), abs_tol=1e-9)


def test_quantised_values_stay_within_their_bounds():
    values = {float(value) for value in drawn({"distribution": "q_uniform", "min": 0.3, "max": 2.9, "q": 1})}
    assert values == {1, 2}


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"value": 3}, "constant"),
        ({"values": [1, 2]}, "categorical"),
        ({"min": 1, "max": 5}, "int_uniform"),
        ({"min": 1.0, "max": 5}, "uniform"),
        ({"min": 0, "max": 0.5}, "uniform"),
    ],
)
def test_a_distribution_that_is_not_named_is_the_one_that_wandb_takes(told, kind):
    from sweeps.params import HyperParameter

    assert Parameter("p", told).kind == kind
    assert HyperParameter("p", dict(told)).type.removeprefix("param_") in (kind, "single_value")


def test_categories_are_passed_as_an_agent_writes_them():
    assert set(drawn({"values": [True, "vit", 0.5, [0.9, 0.95]]}, count=100)) == {
        "True",
        "vit",
        "0.5",
        "[0.9, 0.95]",
    }


def test_a_constant_takes_no_part_in_the_search():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    assert Parameter("p", {"value": 7}).suggest(trial) == "7"
    assert trial.params == {}


def test_a_grid_has_every_value_of_whole_and_quantised_ranges():
    assert Parameter("p", {"min": 0, "max": 3}).grid() == [0, 1, 2, 3]
    told = {"distribution": "q_uniform", "min": 0.0, "max": 0.2, "q": 0.05}
    assert Parameter("p", told).grid() == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])
    with pytest.raises(UserError, match=r"parameters\.p must have values to make a grid of, but is uniform"):
        Parameter("p", {"min": 0.0, "max": 1.0}).grid()


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"values": [0.1, None]}, r"parameters\.p must not be null"),
        ({"values": [1, 2], "probabilities": [0.5, 0.5]}, "categorical_with_probabilities"),
        ({"distribution": "inv_log_uniform_values", "min": 1, "max": 2}, "inv_log_uniform_values"),
        ({"parameters": {"a": {"value": 1}}}, "but is parameters"),
        ({}, r"parameters\.p\.distribution must be one of"),
    ],
)
def test_what_cannot_be_searched_is_refused_by_name(told, sentence):
    with pytest.raises(UserError, match=sentence):
        Parameter("p", told)
