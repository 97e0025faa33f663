import re

import pytest

from mk11.report.published import published_sources


def test_the_mean_over_classes_is_the_papers_pr_auc_once_its_columns_are_swapped_back():
    (source,) = [source for source in published_sources() if source.key == "activessf"]
    assert len(source.rows) == 10
    for row in source.rows:
        mean = sum(mean for mean, _ in row.per_class.values()) / len(row.per_class)
        assert mean == pytest.approx(row.figures["pr_auc"][0], abs=1e-4)
    assert [row.method for row in source.rows if row.corrected] == ["MixMIM", "MixMIM + ActiveSSF"]


def test_figures_are_those_of_the_reference_page(shared):
    lines = (shared / "reference" / "paper.md").read_text().splitlines()
    figures = {
        (cells[0], len(cells)): [re.sub(r"\*", "", cell).split(" +- ") for cell in cells[1:]]
        for cells in ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
        if "+-" in cells[-1]
    }
    for source in published_sources():
        for row in source.rows:
            printed = figures[row.method, 4]
            order = (
                ("accuracy", "f1_weighted", "pr_auc")
                if source.key == "mk11"
                else ("accuracy", "pr_auc", "f1_macro")
            )
            order = (order[0], order[2], order[1]) if row.corrected else order
            assert [[f"{100 * v:.2f}" for v in row.figures[name]] for name in order] == printed
            if row.per_class:
                told = [[f"{100 * v:.2f}" for v in figure] for figure in row.per_class.values()]
                assert told == figures[row.method, 12]
