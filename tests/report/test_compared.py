import pytest
from run_folders import write_run, write_runs

from mk11.errors import UserError
from mk11.report.tables.summary import summary_table


def test_declared_comparisons_are_made_and_those_without_a_result_refused(findings):
    (one,) = findings.compared
    assert (one.a.label, one.b.label, one.family, one.declared) == (
        "mk11/convnext", "mk11/vit", "default", 3,
    )  # fmt: skip
    assert len(findings.refused) == 2
    assert "mk11/vgg has no result yet" in findings.refused[0]
    assert "but is mk11/absent" in findings.refused[1]


def test_holm_counts_the_declared_comparisons_that_could_not_be_made(findings):
    (one,) = findings.compared
    assert one.p_holm == pytest.approx(min(1, 3 * one.result.p_corrected))
    assert one.p_holm_bootstrap == pytest.approx(min(1, 3 * one.result.p_bootstrap))


def test_typed_comparisons_are_with_the_first_and_not_adjusted(tmp_path, found_in):
    write_runs(tmp_path, models={"a": 1.0, "b": 2.0, "c": 3.0})
    found = found_in(tmp_path, cache=tmp_path / "c.json", compare=["a", "b", "c"], intervals=False, draws=50)
    assert [(one.a.model, one.b.model) for one in found.compared] == [("b", "a"), ("c", "a")]
    assert all(one.family is None and one.p_holm is None for one in found.compared)
    assert all(one.result.difference > 0 for one in found.compared)


def test_a_typed_comparison_that_was_declared_stands_once(matrix, tmp_path, found_in):
    found = found_in(matrix, cache=tmp_path / "c.json", compare=["vit", "convnext"], draws=50)
    assert [one.family for one in found.compared] == ["default"]


def test_a_typed_comparison_that_was_declared_the_other_way_round_stands_once(matrix, tmp_path, found_in):
    found = found_in(matrix, cache=tmp_path / "c.json", compare=["convnext", "vit"], draws=50)
    assert [(one.family, one.a.model) for one in found.compared] == [("default", "convnext")]


def test_the_bootstrap_is_adjusted_where_there_is_no_test_over_folds(tmp_path, found_in):
    declared = {"baseline": "mk11/a", "comparisons": ["mk11/b", "mk11/c"]}
    write_runs(tmp_path, models={"a": 1.0, "b": 2.0, "c": 3.0}, folds=range(1), analysis=declared)
    found = found_in(tmp_path, cache=tmp_path / "c.json", draws=50)
    assert [one.p_holm for one in found.compared] == [None, None]
    low, high = sorted(one.result.p_bootstrap for one in found.compared)
    assert sorted(one.p_holm_bootstrap for one in found.compared) == pytest.approx(
        [min(1, 2 * low), min(1, max(2 * low, high))]
    )
    assert not any("Holm" in note for note in summary_table(found, (), as_published=False).notes)


def test_a_typed_comparison_by_another_metric_is_not_declared(matrix, tmp_path, found_in):
    found = found_in(
        matrix, cache=tmp_path / "c.json", compare=["vit", "convnext"], metric="accuracy", draws=50
    )
    assert [(one.family, one.result.metric) for one in found.compared] == [
        ("default", "f1_macro"), (None, "accuracy"),
    ]  # fmt: skip


def test_unequal_folds_are_refused_by_name(tmp_path, found_in):
    write_runs(tmp_path, models={"a": 1.0, "b": 2.0}, missing=[("b", 3, 0)])
    found = found_in(tmp_path, cache=tmp_path / "c.json", compare=["a", "b"], intervals=False, draws=50)
    assert found.compared == []
    assert "mk11/b lacks fold 3" in found.refused[0]


@pytest.mark.parametrize(("names", "told"), [(["a"], "two configurations"), (["a", "x"], "but is x")])
def test_names_that_mean_nothing_are_refused(tmp_path, names, told, found_in):
    write_run(tmp_path, model="a")
    with pytest.raises(UserError, match=told):
        found_in(tmp_path, cache=tmp_path / "c.json", compare=names, intervals=False)


def test_an_analysis_told_in_two_ways_was_not_declared_in_advance(tmp_path, found_in):
    write_runs(tmp_path, models={"a": 1.0}, analysis={"baseline": "mk11/b", "comparisons": ["mk11/a"]})
    write_runs(tmp_path, models={"b": 1.0}, analysis={"baseline": "mk11/a", "comparisons": ["mk11/b"]})
    found = found_in(tmp_path, cache=tmp_path / "c.json", draws=50)
    assert found.compared == []
    assert any("declared in 2 ways" in warning for warning in found.warnings)


def test_an_analysis_that_cannot_be_read_is_told_and_the_rest_is_reported(tmp_path, found_in):
    write_run(tmp_path, model="a", analysis={"comparisons": ["mk11/b"]})  # with nothing: no baseline
    write_run(tmp_path, model="b")
    found = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False)
    assert len(found.rows) == 2
    assert any("the analysis of mk11/a is left out: analysis.baseline must" in w for w in found.warnings)


def test_the_declared_primary_metric_is_used_unless_runs_disagree(tmp_path, found_in):
    write_run(tmp_path, model="a", analysis={"primary": "pr_auc"})
    assert found_in(tmp_path, cache=tmp_path / "c.json", intervals=False).primary == "pr_auc"
    write_run(tmp_path, model="b", analysis={"primary": "accuracy"})
    found = found_in(tmp_path, cache=tmp_path / "c.json", intervals=False)
    assert found.primary == "f1_macro"
    assert any("several primary metrics (accuracy, pr_auc)" in warning for warning in found.warnings)


def test_each_state_of_the_data_has_a_family_of_its_own(tmp_path, found_in):
    declared = {"baseline": "mk11/a", "comparisons": ["mk11/b"]}
    for state in ("1" * 16, "2" * 16):
        write_runs(tmp_path, models={"a": 1.0, "b": 2.0}, data_set=state, analysis=declared)
    found = found_in(tmp_path, cache=tmp_path / "c.json", draws=50)
    states = [(one.a.settings["data.set"], one.b.settings["data.set"]) for one in found.compared]
    assert sorted(states) == [("1" * 16, "1" * 16), ("2" * 16, "2" * 16)]
    assert all(one.p_holm == one.result.p_corrected for one in found.compared)


def test_pairs_are_compared_with_each_other_in_one_family(tmp_path, found_in):
    declared = {"name": "pairs", "comparisons": [["mk11/b", "mk11/a"], ["mk11/c", "mk11/b"]]}
    write_runs(tmp_path, models={"a": 1.0, "b": 2.0, "c": 3.0}, analysis=declared)
    found = found_in(tmp_path, cache=tmp_path / "c.json", draws=50)
    assert [(one.a.model, one.b.model, one.family) for one in found.compared] == [
        ("b", "a", "pairs"), ("c", "b", "pairs"),
    ]  # fmt: skip
    low, high = sorted(one.result.p_corrected for one in found.compared)
    assert sorted(one.p_holm for one in found.compared) == pytest.approx([2 * low, max(2 * low, high)])
