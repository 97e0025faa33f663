import pandas as pd
import pytest

from mk11.data.groups import groups_from_paths
from mk11.errors import UserError

IDS = pd.Series(["a/p1_3.png", "b/p12_4.png"])


def test_the_first_capture_group_is_the_group():
    assert groups_from_paths(IDS, r"/(p\d+)_(\d)", key="data").tolist() == ["p1", "p12"]


@pytest.mark.parametrize(
    ("regex", "told"),
    [
        (r"p\d+", "must have a capture group"),
        (r"(p\d", "must be a regular expression"),
        (r"(p1)_", r"must match every path, but \(p1\)_ misses 1, such as b/p12_4.png"),
    ],
)
def test_a_faulty_regex_is_told_in_one_sentence(regex, told):
    with pytest.raises(UserError, match=told):
        groups_from_paths(IDS, regex, key="data")
