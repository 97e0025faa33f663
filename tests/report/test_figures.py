"""The report's figures: which are drawn, as whole SVG and PDF files, and with the numbers of the tables."""

from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from run_folders import NASTY, Cells, write_run, write_runs
from scipy.optimize import minimize

from mk11.evaluation.statistics.summary import over_folds
from mk11.report.figures import write_figures
from mk11.report.figures.choice import class_images
from mk11.report.figures.classes import class_bars
from mk11.report.figures.overview import overview
from mk11.report.figures.sizes import apart, class_sizes
from mk11.report.figures.write import drawings
from mk11.report.findings import Findings
from mk11.report.rows import row_of
from mk11.runs.configurations import group_runs
from mk11.runs.ledger import find_runs

OWN = ("confusion", "precision_recall", "coverage_risk", "reliability", "learning")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def drawn(monkeypatch):
    """Every figure that was saved, as matplotlib has it."""
    figures = []
    save = Figure.savefig

    def keep(figure, path, **options):
        figures.append(figure)
        return save(figure, path, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def found_under(root):
    """Findings without comparisons, of the runs under a folder."""
    runs, _ = find_runs([root])
    return Findings([row_of(one) for one in group_runs(runs)], [], [], runs, [], [], "f1_macro")


def texts(path):
    return "\n".join("".join(node.itertext()) for node in ElementTree.parse(path).iter(f"{SVG}text"))


@pytest.fixture(scope="module")
def written(findings, tmp_path_factory):
    out = tmp_path_factory.mktemp("figures")
    return write_figures(findings, out)


def test_every_row_and_every_comparison_has_its_figures_as_svg_and_pdf(findings, written):
    expected = {"overview", "class_pr_auc", "class_size"}
    expected |= {f"{kind}-{row.configuration.key}" for kind in OWN for row in findings.rows}
    expected |= {f"difference-{one.a.key}-{one.b.key}" for one in findings.compared}
    assert len(findings.compared) == 1
    assert set(written) == expected
    for name, path in written.items():
        assert path.name == f"{name}.svg"
        assert ElementTree.parse(path).getroot().tag == f"{SVG}svg"
        assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_the_same_numbers_give_the_same_bytes(findings, written, tmp_path):
    again = [found for found in drawings(findings, limit=1, tell=print) if "-" in found[0]]
    assert len(again) == len(OWN) + len(findings.compared)
    for name, draw in again:
        draw(tmp_path / f"{name}.svg")
        for suffix in (".svg", ".pdf"):
            first = written[name].with_suffix(suffix).read_bytes()
            assert (tmp_path / f"{name}{suffix}").read_bytes() == first


def test_a_pdf_has_no_date_and_no_type_3_font(written):
    content = b"".join(path.with_suffix(".pdf").read_bytes() for path in written.values())
    assert b"CreationDate" not in content
    assert b"/Type3" not in content
    assert b"/TrueType" in content or b"/Type0" in content


def test_the_overview_draws_the_tables_numbers(findings, drawn, tmp_path):
    overview(findings.rows, tmp_path / "figure.svg", primary="f1_macro", note="")
    panels = {axes.get_title(loc="left"): axes for axes in drawn[0].axes}
    assert list(panels) == ["F1, macro (primary)", "Accuracy", "PR-AUC"]
    for metric, axes in zip(("f1_macro", "accuracy", "pr_auc"), panels.values(), strict=True):
        lines = iter(axes.lines)
        for row in findings.rows:
            summary = row.summaries[metric]
            assert next(lines).get_xdata() == pytest.approx(list(summary.values.values()))
            assert next(lines).get_xdata() == pytest.approx(
                [summary.mean - summary.sd, summary.mean + summary.sd]
            )
            assert next(lines).get_xdata() == pytest.approx([summary.mean])


def test_a_bar_is_as_long_as_the_mean_and_its_whisker_as_the_deviation(findings, drawn, tmp_path):
    class_bars(findings.rows, "pr_auc", tmp_path / "figure.svg", note="")
    for row, axes in zip(findings.rows, drawn[0].axes, strict=True):
        summaries = [measures["pr_auc"] for measures in row.per_class.values()]
        assert [bar.get_width() for bar in axes.patches] == pytest.approx([one.mean for one in summaries])
        ends = [segment[:, 0] for segment in axes.collections[0].get_segments()]
        np.testing.assert_allclose(ends, [(one.mean - one.sd, one.mean + one.sd) for one in summaries])
    ticks = drawn[0].axes[1].lines[-1].get_xdata()
    first = findings.rows[0].per_class.values()
    assert ticks == pytest.approx([measures["pr_auc"].mean for measures in first])


def test_an_undefined_class_says_so_instead_of_having_a_bar(findings, drawn, tmp_path):
    row = findings.rows[0]
    per_class = {**row.per_class, "naked": {"pr_auc": over_folds({(0, 0): None})}}
    class_bars([replace(row, per_class=per_class)], "pr_auc", tmp_path / "figure.svg", note="")
    assert len(drawn[0].axes[0].patches) == len(per_class) - 1
    assert "undefined" in texts(tmp_path / "figure.svg")


def test_each_class_lies_over_its_size_at_its_mean(findings, drawn, tmp_path):
    _, sizes = class_images(findings.rows)
    class_sizes(findings.rows, sizes, "pr_auc", tmp_path / "figure.svg", unit="images", note="")
    axes = drawn[0].axes[0]
    assert axes.get_xscale() == "log"
    for row, points in zip(findings.rows, axes.containers, strict=True):
        x, y = points.lines[0].get_data()
        assert x == pytest.approx(list(sizes.values()), rel=0.01)
        assert y == pytest.approx([measures["pr_auc"].mean for measures in row.per_class.values()])
    named = [text.get_text() for text in axes.texts]
    assert named == sorted(sizes, key=sizes.get)


def test_classes_of_one_size_have_an_axis_with_numbers(findings, drawn, tmp_path):
    sizes = dict.fromkeys(findings.rows[0].configuration.classes, 24.0)
    class_sizes(findings.rows, sizes, "pr_auc", tmp_path / "figure.svg", unit="images", note="")
    low, high = drawn[0].axes[0].get_xlim()
    assert low < 24 < high
    assert len(drawn[0].axes[0].get_xticks()) >= 3


def test_training_images_are_counted_in_the_folds_themselves(findings):
    unit, sizes = class_images(findings.rows)
    tables = [Cells().table(fold) for fold in range(5)]
    counts = [Counter(table.loc[table["split"] == "train", "subtype"]) for table in tables]
    assert unit.startswith("Training images")
    assert sizes == {name: np.mean([count[name] for count in counts]) for name in sizes}


def test_without_all_folds_the_test_images_stand_for_the_size(tmp_path):
    write_runs(tmp_path, models={"vit": 1.0}, folds=(0, 3))
    rows = found_under(tmp_path).rows
    unit, sizes = class_images(rows)
    assert unit.startswith("Test images")
    assert sizes == rows[0].supports


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(0.01, 0.3))
def test_names_are_moved_apart_as_little_as_possible(places, gap):
    places = np.sort(places)
    moved = apart(places, gap)
    assert (np.diff(moved) >= gap - 1e-9).all()
    best = minimize(
        lambda x: ((x - places) ** 2).sum(), places, method="SLSQP",
        constraints={"type": "ineq", "fun": lambda x: np.append(np.diff(x) - gap, 1.0)},
    )  # fmt: skip
    assert ((moved - places) ** 2).sum() <= best.fun + 1e-4


def test_hostile_names_stay_text_in_every_figure(nasty, tmp_path):
    for path in write_figures(nasty, tmp_path).values():
        assert not list(ElementTree.parse(path).iter(f"{SVG}script"))
    shown = texts(tmp_path / "class_pr_auc.svg")
    assert all(name in shown for name in NASTY)


def test_figures_of_what_is_gone_are_removed_and_other_files_stay(findings, tmp_path):
    write_figures(findings, tmp_path, limit=1)
    gone = ["confusion-0badbeef", "difference-0badbeef-12345678", "class_size-2"]
    ours = {path.name for path in tmp_path.iterdir()}
    for name in (*gone, "confusion matrix", "mine"):
        (tmp_path / f"{name}.svg").touch()
        (tmp_path / f"{name}.pdf").touch()
    (tmp_path / "confusion-notes.txt").touch()
    write_figures(findings, tmp_path, limit=1)
    others = {f"{name}.{suffix}" for name in ("confusion matrix", "mine") for suffix in ("svg", "pdf")}
    assert {path.name for path in tmp_path.iterdir()} == ours | others | {"confusion-notes.txt"}


def test_a_damaged_table_is_told_and_the_other_figures_are_drawn(tmp_path):
    damaged = write_runs(tmp_path / "runs", folds=range(2))[0]
    (damaged / "predictions.parquet").write_text("nothing")
    (damaged / "metrics.csv").write_text("")
    found, told = found_under(tmp_path / "runs"), []
    names = [name for name, _ in drawings(found, limit=12, tell=told.append)]
    keys = [row.configuration.key for row in found.rows]
    assert [sum(name.endswith(key) for name in names) for key in keys] == [0, len(OWN)]
    assert len(told) == 2
    assert str(damaged / "predictions.parquet") in told[0]
    assert str(damaged / "metrics.csv") in told[1]


def test_configurations_on_other_data_are_not_drawn_beside_each_other(tmp_path):
    write_runs(tmp_path / "runs", folds=range(2))
    write_run(tmp_path / "runs", model="two", cells=Cells(classes=("no", "yes"), images=(30, 20)))
    figures = dict(drawings(found_under(tmp_path / "runs"), limit=0, tell=print))
    assert list(figures) == [
        name + end for name in ("overview", "class_pr_auc", "class_size") for end in ("", "-2")
    ]
    shown = {
        "overview": "cells, 4 classes",
        "overview-2": "two",
        "class_size": "granular",
        "class_size-2": "yes",
    }
    for name, subtype in shown.items():
        figures[name](tmp_path / "figure.svg")
        assert subtype in texts(tmp_path / "figure.svg")


def test_no_rows_no_figures(findings, tmp_path):
    assert write_figures(replace(findings, rows=[], compared=[]), tmp_path) == {}
