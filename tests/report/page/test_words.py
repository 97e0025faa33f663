"""Words and figures of the page."""

from mk11.evaluation.statistics.summary import FoldSummary
from mk11.report.page.words import listed, metric_column, several, summary_cell, title
from mk11.report.tables.words import NONE, TITLES


def over(mean, sd=None, undefined=0):
    return FoldSummary(mean, sd, folds=5, seeds=1, seed_sd=None, values={}, undefined=undefined)


def test_figures_are_per_cent_with_two_decimals_as_the_papers_print_them():
    assert summary_cell(over(0.78923, 0.00904)).text == "78.92 ± 0.90"
    assert summary_cell(over(0.5)).text == "50.00"
    assert summary_cell(over(None)).text == summary_cell(None).text == NONE


def test_metrics_are_called_what_the_tables_call_them():
    assert {metric: title(metric) for metric in TITLES} == TITLES
    assert [metric_column(metric).title for metric in TITLES] == list(TITLES.values())
    assert (title("recall:MMK"), title("f1")) == ("Recall of MMK", "F1")


def test_words_fit_their_number():
    assert (several(1, "fold"), several(1540, "image")) == ("1 fold", "1,540 images")
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([*"abcdefgh"], 4) == "a, b, c and 5 others"
