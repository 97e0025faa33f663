"""Numbers as the page tells them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mk11.selection.gallery.words import number, percent, share


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0"),
        (0.01234, "0.0123"),
        (1.5, "1.500"),
        (16.984, "16.98"),
        (17.016, "17.02"),
        (1234.56, "1,234.6"),
    ],
)
def test_a_distance_has_about_four_figures(value, told):
    assert number(value) == told


@given(st.floats(0.1, 9999))
def test_a_distance_is_told_to_one_part_in_a_thousand(value):
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=1e-3)


def test_few_are_not_none_and_nearly_all_are_not_all():
    space = "\N{NO-BREAK SPACE}"
    assert [percent(part) for part in (0, 0.004, 0.5, 0.996, 1)] == [
        f"{told}{space}%" for told in ("0", "<1", "50", ">99", "100")
    ]


def test_what_is_not_known_is_left_empty():
    assert (number(math.nan), percent(math.nan), share(0, 0)) == ("", "", "")
