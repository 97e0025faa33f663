import pytest
from comparison_words import CELLS, FEW
from run_folders import Cells, write_run

from mk11.compare.sentences import conclusion
from mk11.evaluation.statistics.bootstrap import Interval
from mk11.evaluation.statistics.comparison import ALPHA, Comparison
from mk11.evaluation.statistics.verdict import verdict
from mk11.runs.ledger import read_run
from mk11.runs.marks import marks_of


def test_the_declared_primary_metric_is_the_default(tmp_path, compare):
    for model in ("a", "b"):
        write_run(tmp_path, model=model, cells=CELLS, analysis={"primary": "pr_auc"})
    assert "pr_auc of A" in compare("a", "b", "--runs", tmp_path, FEW)[0]
    assert "accuracy of A" in compare("a", "b", "--runs", tmp_path, FEW, "--metric", "accuracy")[0]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_a_declared_comparison_is_called_so_from_either_side(names, tmp_path, compare):
    analysis = {"name": "table2", "baseline": "a", "comparisons": ["mk11/b"]}
    for model in ("a", "b", "c"):
        write_run(tmp_path, model=model, cells=CELLS, analysis=analysis)
    assert "Declared in advance in analysis table2" in compare(*names, "--runs", tmp_path, FEW)[0]
    assert "Not declared in advance" in compare("b", "c", "--runs", tmp_path, FEW)[0]


def test_old_runs_without_an_analysis_are_compared_by_macro_f1(tmp_path, compare):
    for model in ("a", "b"):
        write_run(tmp_path, model=model, cells=CELLS, old=True)
    out, _, code = compare("a", "b", "--runs", tmp_path, FEW)
    assert (code, "f1_macro of A" in out) == (0, True)


def test_a_pair_that_was_declared_by_another_metric_is_not_declared_by_this_one(tmp_path, compare):
    analysis = {"name": "table2", "primary": "f1_macro", "baseline": "a", "comparisons": ["mk11/b"]}
    for model in ("a", "b"):
        write_run(tmp_path, model=model, cells=CELLS, analysis=analysis)
    out, _, _ = compare("a", "b", "--runs", tmp_path, FEW, "--metric", "accuracy")
    assert "Declared in advance" not in out
    assert "Not declared in advance by accuracy: analysis table2 declares it by f1_macro" in out
    out, _, _ = compare("a", "b", "--runs", tmp_path, FEW, "--metric", "f1_macro")
    assert "Declared in advance in analysis table2" in out


def test_of_two_declarations_the_one_by_this_metric_counts(tmp_path, compare):
    for model, metric in (("a", "f1_macro"), ("b", "accuracy")):
        analysis = {"name": metric, "primary": metric, "comparisons": [["mk11/a", "mk11/b"]]}
        write_run(tmp_path, model=model, cells=CELLS, analysis=analysis)
    out, _, _ = compare("a", "b", "--runs", tmp_path, FEW, "--metric", "accuracy")
    assert "Declared in advance in analysis accuracy;" in out


def test_the_marks_of_each_side_stand_before_the_figures(tmp_path, compare):
    write_run(tmp_path, model="a", cells=CELLS, record={"tuned": "wide"})
    write_run(tmp_path, model="b", cells=CELLS, marks={"leaks": {"group": ["P01"]}, "skipped": ["x", "y"]})
    out, _, _ = compare("a", "b", "--runs", tmp_path, FEW)
    told = [line for line in out.partition("f1_macro of A")[0].splitlines() if line.startswith("careful")]
    assert told == [
        "careful: A is marked: tuned on the same folds (by wide)",
        "careful: B is marked: leak: group on two sides of the split",
        "careful: B is marked: 2 unreadable images left out",
    ]
    assert "P01" not in out.partition("f1_macro of A")[0]


def test_sides_without_marks_need_no_care(runs, compare):
    assert "careful" not in compare("convnext", "vit", "--runs", runs, FEW)[0]


def test_marks_of_the_data_name_their_folds_and_tuning_holds_for_all_folds(tmp_path):
    paths = [
        write_run(tmp_path, fold=0, marks={"warnings": ["no scale"], "conflicts": ["x"]}),
        write_run(tmp_path, fold=1, marks={"conflicts": ["y"], "weights": "seen"}),
        write_run(tmp_path, fold=2, config={"analysis.tuned": "wide"}),
        write_run(tmp_path, fold="final", record={"tuned": "other"}),
    ]
    assert marks_of([read_run(path) for path in paths]) == [
        "warnings: no scale (fold 0)",
        "1 images under several labels (folds 0, 1)",
        "weights: seen (fold 1)",
        "tuned on the same folds (by wide)",
    ]
    assert marks_of([read_run(paths[-1])]) == []


def compared(*, low, high, p_corrected, detectable=0.03):
    """A result of which only what the conclusion rests on matters."""
    about = {"level": 0.95, "unit": "group", "draws": 9, "dropped": 0, "folds": 5, "units": 60, "fewest": 12}
    interval = Interval(estimate=(low + high) / 2, low=low, high=high, **about)
    t = None if p_corrected is None else 1.0
    return Comparison(
        metric="f1_macro",
        difference=interval.estimate,
        interval=interval,
        p_bootstrap=0.5,
        t=t,
        p_t=p_corrected,
        corrected_t=t,
        p_corrected=p_corrected,
        detectable=detectable,
        folds=(0, 1),
        per_fold={0: 0.0, 1: 0.0},
        unit="group",
    )


@pytest.mark.parametrize("p_corrected", [None, 0.001, 0.049, 0.05, 0.4])
@pytest.mark.parametrize(("low", "high"), [(0.01, 0.02), (-0.02, -0.01), (-0.01, 0.02), (0.0, 0.02)])
def test_the_conclusion_is_the_verdict_in_words(low, high, p_corrected):
    result = compared(low=low, high=high, p_corrected=p_corrected)
    begins = {"higher": "A is higher", "lower": "B is higher", "not shown": "No difference was shown"}
    assert conclusion(result).startswith(begins[verdict(result, alpha=ALPHA)])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"low": 0.01, "high": 0.02, "p_corrected": None}, "for the networks that were trained"),
        ({"low": 0.01, "high": 0.02, "p_corrected": 0.2}, "the corrected test over folds does not agree"),
        ({"low": -0.01, "high": 0.02, "p_corrected": 0.2}, "one below 3.00 could hardly have been found"),
        ({"low": -0.01, "high": 0.02, "p_corrected": None, "detectable": None}, "the interval includes 0."),
    ],
)
def test_the_conclusion_says_what_it_rests_on(given, told):
    assert told in conclusion(compared(**given))


@pytest.mark.parametrize(
    ("patients", "drawn", "warned"),
    [
        (0, "bootstrap over 41 images,", None),
        (15, "bootstrap over 3 groups (patients, slides or fields),", "only 3 groups (patients, slides"),
    ],
)
def test_what_is_drawn_is_called_what_is_known_of_it_and_few_of_them_are_pointed_out(
    patients, drawn, warned, tmp_path, compare
):
    for model in ("a", "b"):
        write_run(tmp_path, model=model, cells=Cells(patients=patients))
    out, _, _ = compare("a", "b", "--runs", tmp_path, FEW)
    assert drawn in out
    assert ("A fold has only" in out) is (warned is not None)
    assert (warned or "") in out
