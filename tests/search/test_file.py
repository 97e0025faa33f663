import pytest

from mk11.errors import UserError
from mk11.search.file import read_search


def test_the_objective_says_of_what_metric_and_over_what(search_file):
    fold = read_search(search_file(metric="val/f1_macro"))
    assert (fold.monitor, fold.is_mean, fold.direction) == ("f1_macro", False, "maximize")
    mean = read_search(search_file(metric="cv/val_average_precision_macro_mean"))
    assert (mean.monitor, mean.is_mean) == ("average_precision_macro", True)


@pytest.mark.parametrize("metric", ["test/pr_auc", "cv/test_pr_auc_mean", "last/test/accuracy", "pr_auc"])
def test_an_objective_that_is_not_of_the_validation_split_is_refused(search_file, metric):
    with pytest.raises(UserError, match=f"inner validation splits, but is {metric}"):
        read_search(search_file(metric=metric))


def test_wandbs_default_is_to_minimise(search_file):
    assert read_search(search_file(metric={"name": "val/loss"})).direction == "minimize"


def test_another_space_or_objective_is_another_search(search_file):
    base = read_search(search_file()).fingerprint()
    assert read_search(search_file()).fingerprint() == base
    assert read_search(search_file({"optim.base_lr": {"min": 0.0, "max": 2.0}})).fingerprint() != base
    assert read_search(search_file(metric="val/f1_macro")).fingerprint() != base


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"method": "custom"}, "method must be one of grid, random, bayes, but is custom"),
        ({"program": None}, "program must be given"),
        ({"metric": None}, "metric must be given for method bayes"),
        ({"metric": {"name": "val/loss", "goal": "least"}}, r"metric\.goal must be minimize or maximize"),
        ({"parameters": 3}, "must be a sweep file of W&B"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_name(search_file, changes, sentence):
    with pytest.raises(UserError, match=rf"try\.yaml.*{sentence}"):
        read_search(search_file(**changes))


def test_a_file_that_is_not_there_or_no_yaml_is_told(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml must be a sweep file"):
        read_search(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(UserError, match=r"bad\.yaml must be a sweep file"):
        read_search(tmp_path / "bad.yaml")
