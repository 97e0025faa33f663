"""Comparisons in words and numbers."""

from dataclasses import replace

import pytest
from page_findings import compared, configuration, texts

from mk11.report.page.comparisons import NOT_ADJUSTED, numbers, told
from mk11.report.tables.words import NONE

MINUS = "\N{MINUS SIGN}"


def test_a_comparison_whose_interval_holds_zero_decides_nothing(tmp_path):
    a, b = configuration(tmp_path, 0), configuration(tmp_path, 1)
    (one,) = told([compared(a, b, difference=0.02, low=-0.01, high=0.05)])
    assert one.verdict == "No difference was shown"
    assert one.finding == f"F1, macro +2.00 points (95 % interval {MINUS}1.00 to +5.00)"
    assert "smallest difference that these 5 folds could have detected is 3.10 points" in one.reservations
    assert "(default); Holm-adjusted p 0.300 (bootstrap) and 0.300 (corrected t-test)." in one.reservations


@pytest.mark.parametrize(("difference", "word"), [(0.03, "better"), (-0.03, "worse")])
def test_a_comparison_whose_interval_leaves_zero_out_names_the_better(tmp_path, difference, word):
    a, b = configuration(tmp_path, 0), configuration(tmp_path, 1)
    low, high = sorted((difference / 2, difference * 2))
    (one,) = told([compared(a, b, difference=difference, low=low, high=high, p=0.01)])
    assert one.verdict == f"The first is {word}"


def test_what_was_not_declared_comes_last_and_says_so(tmp_path):
    a, b = configuration(tmp_path, 0), configuration(tmp_path, 1)
    both = [compared(b, a, family=None), compared(a, b)]
    assert [one.names[0] for one in told(both)] == [a.label, b.label]
    assert "Not declared in advance" in told(both)[1].reservations
    assert texts(numbers(both))[1][-1] == f"{NONE} not in advance"
    assert [texts(numbers(both))[1][k] for k in (6, 8)] == [NONE, NONE]


def test_an_interval_of_few_groups_is_called_rough(tmp_path):
    a, b = configuration(tmp_path, 0), configuration(tmp_path, 1)
    (one,) = told([compared(a, b, fewest=3)])
    assert "With only 3 of these in the smallest fold the interval is rough." in one.reservations


def test_an_interval_without_zero_is_not_enough_where_the_corrected_test_disagrees(tmp_path):
    a, b = configuration(tmp_path, 0), configuration(tmp_path, 1)
    (one,) = told([compared(a, b, low=0.01, high=0.05, p=0.3, family=None)])
    assert (one.verdict, one.clear) == ("No difference was shown", False)


def test_a_declared_difference_must_hold_after_the_adjustment_too(tmp_path):
    a, b = configuration(tmp_path, 0), configuration(tmp_path, 1)
    made = compared(a, b, low=0.01, high=0.05, p=0.03)
    for adjusted in ("p_holm", "p_holm_bootstrap"):
        (one,) = told([replace(made, **{adjusted: 0.06})])
        assert (one.verdict, one.clear) == (NOT_ADJUSTED, False)


@pytest.mark.parametrize(
    ("unit", "words"),
    [("image", "images."), ("group or image", "groups (patients, slides or fields) or images.")],
)
def test_what_was_drawn_is_named(tmp_path, unit, words):
    a, b = configuration(tmp_path, 0), configuration(tmp_path, 1)
    (one,) = told([compared(a, b, unit=unit)])
    assert one.reservations.startswith(f"Bootstrap over {words}")
