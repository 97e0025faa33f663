"""What holds of every strategy: order does not matter, budgets are kept, the table says why."""

from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from selection_crops import CLASSES, candidates, labelled, names, rules, shuffled

from mk11.errors import UserError
from mk11.selection.strategies.activessf import ActiveSSF
from mk11.selection.strategies.base import Candidates, Labelled, by_score
from mk11.selection.strategies.entropy import Entropy
from mk11.selection.strategies.k_centre import KCentre
from mk11.selection.strategies.margin import Margin
from mk11.selection.strategies.random import Random
from mk11.selection.strategies.typiclust import TypiClust

CONF = Path(__file__).resolve().parents[3] / "conf" / "selection"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))
COLUMNS = ["row", "content_hash", "prototype", "distance", "threshold", "rank", "admitted", "reason"]


def configured(name, *overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return instantiate(compose(name, overrides=list(overrides)))


@pytest.fixture(scope="module")
def strategies():
    return {name: configured(name) for name in NAMES}


def drawn(seed, count):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(count, 3)).astype(np.float32)
    probabilities = generator.dirichlet(np.ones(3), count)
    return Candidates(names(count), features, probabilities)


def known(seed):
    generator = np.random.default_rng([seed, 1])
    features = generator.normal(size=(12, 3)).astype(np.float32)
    return Labelled(names(12, "l"), features, np.repeat([0, 1], 6), CLASSES)


def budget_of(strategy, count):
    return max(1, count // 3) if strategy.needs_budget else None


def test_there_is_a_file_for_each_strategy():
    assert NAMES == ["activessf", "all", "entropy", "k_centre", "margin", "random", "typiclust"]


@pytest.mark.parametrize("name", NAMES)
def test_a_strategy_bears_the_name_of_its_file_and_opens_with_its_command(name, strategies):
    assert strategies[name].name == name
    assert (CONF / f"{name}.yaml").read_text().startswith(f"# python select.py selection={name}")


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10)
@given(data=st.data())
def test_the_order_of_candidates_and_labelled_crops_does_not_matter(name, strategies, data):
    seed, count = data.draw(st.integers(0, 999)), data.draw(st.integers(1, 25))
    given_ones, others, strategy = drawn(seed, count), known(seed), strategies[name]
    order = np.array(data.draw(st.permutations(range(count))))
    back = np.array(data.draw(st.permutations(range(12))))
    other = Labelled(
        [others.hashes[row] for row in back], others.features[back], others.labels[back], CLASSES
    )
    budget = budget_of(strategy, count)
    one = strategy.selection(given_ones, others, budget=budget, seed=seed)
    two = strategy.selection(shuffled(given_ones, order), other, budget=budget, seed=seed)
    assert two.table["row"].tolist() == list(range(count))
    same = one.table.iloc[order].reset_index(drop=True).drop(columns="row")
    assert two.table.drop(columns="row").equals(same)
    assert (two.thresholds == one.thresholds).all()
    assert (two.prototypes.members == one.prototypes.members[back]).all()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "all"])
@settings(max_examples=10)
@given(seed=st.integers(0, 999), count=st.integers(1, 25), budget=st.integers(1, 30))
def test_a_budget_admits_as_many_or_all_where_there_are_fewer(name, strategies, seed, count, budget):
    table = strategies[name].select(drawn(seed, count), known(seed), budget=budget, seed=seed)
    assert list(table.columns) == COLUMNS
    assert table["admitted"].sum() == min(budget, count)
    assert (table["admitted"] == (table["reason"] == "")).all()
    ranks = table.loc[table["admitted"], "rank"]
    assert sorted(ranks) == list(range(min(budget, count)))


@pytest.mark.parametrize("name", NAMES)
def test_no_candidates_give_an_empty_table(name, strategies):
    strategy = strategies[name]
    none = Candidates([], np.empty((0, 3), np.float32), np.empty((0, 3)))
    table = strategy.select(none, known(0), budget=budget_of(strategy, 3), seed=0)
    assert list(table.columns) == COLUMNS
    assert table.empty


@pytest.mark.parametrize("strategy", [Random, KCentre])
def test_a_strategy_that_ranks_refuses_to_be_without_a_budget(strategy):
    with pytest.raises(UserError, match=rf"budget must be a number of crops for selection={strategy.name}"):
        strategy(**rules()).select(candidates(1), labelled(), budget=None, seed=0)


@pytest.mark.parametrize("budget", [0, -3, True])
def test_a_budget_is_a_whole_number(budget, strategies):
    with pytest.raises(UserError, match="budget must be a whole number of at least 1"):
        strategies["activessf"].check(budget)


def test_all_takes_no_budget(strategies):
    with pytest.raises(UserError, match="budget must be null for selection=all"):
        strategies["all"].check(5)


def test_every_candidate_is_measured_whatever_the_strategy(strategies):
    expected = ActiveSSF(**rules()).select(candidates(0.5, 4.9, 7.5), labelled(), budget=None, seed=0)
    found = Random(**rules()).select(candidates(0.5, 4.9, 7.5), labelled(), budget=1, seed=0)
    columns = ["prototype", "distance", "threshold"]
    assert found[columns].equals(expected[columns])


def test_equal_scores_are_ranked_in_the_order_of_hashes():
    choice = by_score(np.array([1.0, 0.0, 1.0, 0.0]), budget=3, allowed=np.ones(4, bool))
    assert choice.rank.tolist() == [2, 0, 3, 1]
    assert choice.reason == ["", "", "beyond the budget", ""]


def test_what_is_not_allowed_takes_no_place_of_the_budget():
    choice = by_score(np.array([0.0, 1.0, 2.0, 3.0]), budget=1, allowed=np.array([False, True, True, False]))
    assert choice.reason == ["beyond the threshold", "", "beyond the budget", "beyond the threshold"]


@pytest.mark.parametrize("strategy", [Margin, Entropy])
def test_uncertainty_without_probabilities_is_refused(strategy):
    assert strategy.needs_probabilities
    with pytest.raises(UserError, match=rf"selection={strategy.name} must have class probabilities"):
        strategy(**rules()).select(candidates(1), labelled(), budget=1, seed=0)


@pytest.mark.parametrize("key", ["max_clusters", "neighbours", "smallest"])
def test_typiclust_refuses_values_that_its_keys_cannot_hold(key):
    values = {"max_clusters": 5, "neighbours": 2, "smallest": 0} | {key: -1}
    with pytest.raises(UserError, match=rf"selection\.{key} must"):
        TypiClust(**values, **rules())
