import pytest
from run_folders import Cells, write_run

from mk11.errors import UserError
from mk11.files import read_json, write_json
from mk11.search.file import read_search
from mk11.search.objective import trial_value


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "runs", cells=Cells(images=(30, 20, 15, 5)))


@pytest.fixture
def whole(tmp_path):
    """The last line of a cross-validation."""
    path = tmp_path / "cv" / "0123abcd.json"
    write_json(path, {"monitor": "pr_auc", "mean": 0.625, "sd": 0.1, "values": {"0": 0.5, "1": 0.75}})
    return f"cross-validation: {path}"


def test_of_one_fold_it_is_the_best_validation_value(run, search_file):
    value = trial_value(read_search(search_file(metric="val/f1_macro")), str(run))
    assert value == read_json(run / "metrics.json")["best_validation"]["f1_macro"]["value"]


def test_of_all_folds_it_is_their_mean(whole, search_file):
    assert trial_value(read_search(search_file(metric="cv/val_pr_auc_mean")), whole) == 0.625


def test_a_file_without_a_metric_takes_the_monitored_one(run, whole, search_file):
    search = read_search(search_file({"fold": {"values": [0]}}, method="grid", metric=None))
    content = read_json(run / "metrics.json")
    assert trial_value(search, str(run)) == content["best_validation"][content["monitor"]]["value"]
    assert trial_value(search, whole) == 0.625


def test_one_fold_is_not_taken_for_the_mean_nor_the_mean_for_one_fold(run, whole, search_file):
    with pytest.raises(UserError, match="add fold=all"):
        trial_value(read_search(search_file(metric="cv/val_pr_auc_mean")), str(run))
    with pytest.raises(UserError, match="set fold=0"):
        trial_value(read_search(search_file(metric="val/pr_auc")), whole)


def test_the_mean_of_another_metric_is_not_taken(whole, search_file):
    with pytest.raises(UserError, match="needs monitor=f1_macro, but the command ran with monitor=pr_auc"):
        trial_value(read_search(search_file(metric="cv/val_f1_macro_mean")), whole)


def test_a_metric_that_was_not_validated_is_told(run, search_file):
    with pytest.raises(UserError, match="but is val/bleu"):
        trial_value(read_search(search_file(metric="val/bleu")), str(run))


@pytest.mark.parametrize("line", ["", "Traceback", "/nowhere", "cross-validation: /nowhere.json"])
def test_a_last_line_that_names_no_result_is_told(search_file, line):
    with pytest.raises(UserError, match="last line must name its result"):
        trial_value(read_search(search_file()), line)
