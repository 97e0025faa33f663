from dataclasses import replace

import pytest

from mk11.evaluation.statistics.comparison import compare
from mk11.evaluation.statistics.verdict import verdict


@pytest.fixture(scope="module")
def result(drawn_folds):
    sides = drawn_folds(2, network=1), drawn_folds(2)
    return compare(*sides, metric="accuracy", draws=20, seed=0, level=0.95)


@pytest.mark.parametrize(
    ("low", "high", "p_corrected", "expected"),
    [(0.01, 0.05, 0.04, "higher"), (-0.05, -0.01, 0.04, "lower"), (-0.01, 0.05, 0.04, "not shown"),
     (0.01, 0.05, 0.06, "not shown"), (-0.05, -0.01, 0.05, "not shown"), (0.01, 0.05, None, "higher"),
     (0.0, 0.05, 0.04, "not shown")],
)  # fmt: skip
def test_a_difference_is_shown_only_where_interval_and_test_agree(result, low, high, p_corrected, expected):
    told = replace(result, interval=replace(result.interval, low=low, high=high), p_corrected=p_corrected)
    assert verdict(told, alpha=0.05) == expected
