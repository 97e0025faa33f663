import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mk11.evaluation.statistics.paired import (
    bootstrap_p,
    corrected_t,
    detectable_difference,
    holm,
    paired_t,
)

RATIO = 0.25  # five folds, the other four to train on
HAND = np.array([0.02, 0.01, 0.03, 0.00, 0.04])  # mean 0.02, variance 0.00025


def correlated(generator, *, sets, mean=0.0, test_to_train=RATIO, folds=5):
    """Differences as Nadeau and Bengio take them: correlation n2 / (n1 + n2), variance 1 / (1 - it)."""
    rho = test_to_train / (1 + test_to_train)
    shared, own = generator.normal(size=(sets, 1)), generator.normal(size=(sets, folds))
    return mean + (np.sqrt(rho) * shared + np.sqrt(1 - rho) * own) / np.sqrt(1 - rho)


def test_scipy_agrees_on_the_paired_t_test():
    a, b = np.random.default_rng(0).random((2, 5))
    theirs = stats.ttest_rel(a, b)
    assert paired_t(a - b) == pytest.approx((theirs.statistic, theirs.pvalue))


def test_the_corrected_test_by_hand():
    # t = 0.02 / sqrt((1/5 + 1/4) 0.00025) = 0.02 / 0.0106066
    t, p = corrected_t(HAND, test_to_train=RATIO)
    assert t == pytest.approx(1.885618, abs=1e-6)
    assert p == pytest.approx(2 * stats.t.sf(1.885618, 4), abs=1e-6)


def test_with_five_folds_the_correction_multiplies_t_by_two_thirds():
    assert corrected_t(HAND, test_to_train=RATIO)[0] / paired_t(HAND)[0] == pytest.approx(2 / 3)


def test_on_overlapping_training_sets_only_the_corrected_test_keeps_its_level():
    sets = correlated(np.random.default_rng(0), sets=4000)
    plain = np.mean([paired_t(differences)[1] < 0.05 for differences in sets])
    corrected = np.mean([corrected_t(d, test_to_train=RATIO)[1] < 0.05 for d in sets])
    assert plain > 0.1
    assert corrected == pytest.approx(0.05, abs=0.012)


def test_the_corrected_test_finds_the_detectable_difference_four_times_in_five():
    spread = HAND / HAND.std(ddof=1)  # the true spread within a set, known here
    least = detectable_difference(spread, test_to_train=RATIO, alpha=0.05, power=0.8)
    sets = correlated(np.random.default_rng(1), sets=40_000, mean=least)
    t = stats.ttest_1samp(sets, 0, axis=1).statistic * np.sqrt(0.2 / 0.45)
    assert np.mean(np.abs(t) > stats.t.ppf(0.975, 4)) == pytest.approx(0.8, abs=0.008)


def test_the_detectable_difference_solves_the_non_central_t():
    least = detectable_difference(HAND, test_to_train=RATIO, alpha=0.05, power=0.8)
    centre = least / np.sqrt(0.45 * 0.00025)
    critical = stats.t.ppf(0.975, 4)
    power = stats.nct.sf(critical, 4, centre) + stats.nct.cdf(-critical, 4, centre)
    assert power == pytest.approx(0.8, abs=1e-4)


def test_no_difference_at_all_is_p_1_and_a_constant_one_has_no_test():
    assert paired_t(np.zeros(5)) == corrected_t(np.zeros(5), test_to_train=RATIO) == (0.0, 1.0)
    assert paired_t(np.full(5, 0.1)) is None
    for constant in (np.zeros(5), np.full(5, 0.1)):
        assert detectable_difference(constant, test_to_train=RATIO, alpha=0.05, power=0.8) is None


@pytest.mark.parametrize("folds", [0, 1])
def test_fewer_than_two_folds_have_no_test(folds):
    few = np.full(folds, 0.1)
    assert paired_t(few) is None
    assert corrected_t(few, test_to_train=RATIO) is None
    assert detectable_difference(few, test_to_train=RATIO, alpha=0.05, power=0.8) is None


def test_the_bootstrapped_p_value_by_hand():
    differences = np.array([0.1] * 17 + [-0.1] * 2)  # (1 + 2) / (1 + 19), twice
    assert bootstrap_p(differences) == pytest.approx(0.3)
    assert bootstrap_p(-differences) == pytest.approx(0.3)
    assert bootstrap_p(np.full(1999, 0.1)) == pytest.approx(0.001)
    assert bootstrap_p(np.zeros(1999)) == 1.0


def test_draws_that_differ_from_0_by_rounding_count_on_both_sides():
    assert bootstrap_p(np.full(99, 1e-16)) == 1.0


def test_holm_by_hand():
    # sorted 0.01, 0.03, 0.04 times 3, 2, 1; the last may not be below the one before
    assert holm({"x": 0.04, "y": 0.01, "z": 0.03}) == pytest.approx({"x": 0.06, "y": 0.03, "z": 0.06})


def test_holm_of_none_and_of_one():
    assert holm({}) == {}
    assert holm({"only": 0.2}) == {"only": 0.2}


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=8))
def test_holm_rejects_what_the_step_down_procedure_rejects(p):
    adjusted, going = holm(p), True
    for place, name in enumerate(sorted(p, key=lambda name: p[name])):
        assert p[name] <= adjusted[name] <= 1
        margin = 0.05 / (len(p) - place)
        if abs(p[name] - margin) > 1e-9:
            going = going and p[name] <= margin
            assert (adjusted[name] <= 0.05) == going
        elif going:
            return  # on the edge rounding decides
