import pytest

from mk11.data.settings import check_choice, check_fraction, check_keys, check_positive, check_whole
from mk11.errors import UserError


@pytest.mark.parametrize("value", [1, 2.0, "2", None, True, [2]])
def test_only_whole_numbers_that_are_large_enough_pass(value):
    check_whole("key", 2, least=2)
    with pytest.raises(UserError, match=r"^key must be a whole number of at least 2, but is "):
        check_whole("key", value, least=2)


@pytest.mark.parametrize("value", [0, -1.5, "1", None, True, float("nan"), float("inf")])
def test_only_finite_numbers_above_zero_are_positive(value):
    check_positive("key", 1)
    check_positive("key", 0.1)
    with pytest.raises(UserError, match=r"^key must be a number above 0, but is "):
        check_positive("key", value)


@pytest.mark.parametrize("value", [0, 1, "0.5", None, True, float("nan")])
def test_only_numbers_between_zero_and_one_are_fractions(value):
    check_fraction("key", 0.5)
    with pytest.raises(UserError, match=r"^key must be a number in \(0, 1\), but is "):
        check_fraction("key", value)


def test_choices_are_told_as_yaml_writes_them():
    check_choice("key", False, (True, False))
    with pytest.raises(UserError, match=r"^key must be one of true, false, but is abc$"):
        check_choice("key", "abc", (True, False))


@pytest.mark.parametrize("value", ["a", None, ["a", "b"], {"a": 1}])
def test_only_mappings_with_all_keys_pass(value):
    check_keys("key", {"a": 1, "b": None, "c": 2}, ("a", "b"))
    with pytest.raises(UserError, match=r"^key must give a, b, but is "):
        check_keys("key", value, ("a", "b"))
