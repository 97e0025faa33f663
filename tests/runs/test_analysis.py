"""What a declared analysis compares."""

import pytest

from mk11.errors import UserError
from mk11.runs.analysis import declared_pairs


def test_names_are_compared_with_the_baseline_and_pairs_with_each_other():
    analysis = {"baseline": "resnet", "comparisons": ["vit", ["mae_activessf", "mae"], "vit"]}
    assert declared_pairs(analysis) == (("vit", "resnet"), ("mae_activessf", "mae"))


def test_nothing_is_declared_by_default():
    assert declared_pairs({}) == declared_pairs({"baseline": "resnet", "comparisons": []}) == ()


@pytest.mark.parametrize("entry", [["a", "b", "c"], 3, {"a": "b"}])
def test_what_is_neither_a_row_nor_a_pair_is_refused(entry):
    with pytest.raises(UserError, match=r"analysis\.comparisons must list rows, or pairs"):
        declared_pairs({"baseline": "resnet", "comparisons": [entry]})


def test_a_row_without_a_baseline_is_refused():
    with pytest.raises(UserError, match=r"analysis\.baseline must name the row that vit is compared with"):
        declared_pairs({"baseline": None, "comparisons": ["vit"]})
