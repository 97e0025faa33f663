"""The report's numbers computed a second time, from predictions.parquet, by scikit-learn and SciPy alone."""

import csv
import json
import re

import numpy as np
import pandas as pd
import pytest
from run_folders import CLASSES
from scipy import stats
from sklearn import metrics as sk

from mk11.report.names import Names
from mk11.report.published import published_sources
from mk11.report.tables.write import write_tables

REAL = Names(identify=True, runs=[])  # what images and folders are called in the data

SECOND_WAY = {
    "accuracy": lambda y, p: sk.accuracy_score(y, p.argmax(1)),
    "balanced_accuracy": lambda y, p: sk.balanced_accuracy_score(y, p.argmax(1)),
    "f1_weighted": lambda y, p: sk.f1_score(y, p.argmax(1), average="weighted"),
    "f1_macro": lambda y, p: sk.f1_score(y, p.argmax(1), average="macro"),
    "pr_auc": lambda y, p: np.mean([trapezoid(y == k, p[:, k]) for k in range(len(CLASSES))]),
    "average_precision_macro": lambda y, p: sk.average_precision_score(np.eye(len(CLASSES))[y], p),
    "auroc_macro": lambda y, p: sk.roc_auc_score(np.eye(len(CLASSES))[y], p),
}


def trapezoid(positive, scores):
    precision, recall, _ = sk.precision_recall_curve(positive, scores)
    return sk.auc(recall, precision)


@pytest.fixture(scope="module")
def predicted(matrix):
    """(model, fold, seed) -> labels and probabilities of the best checkpoint on test."""
    found = {}
    for path in matrix.rglob("predictions.parquet"):
        record = json.loads((path.parent / "run.json").read_text())
        table = pd.read_parquet(path)
        table = table[(table["split"] == "test") & (table["checkpoint"] == "best")]
        scores = table[[f"p_{name}" for name in CLASSES]].to_numpy()
        found[record["model"], record["fold"], record["seed"]] = (table["label"].to_numpy(), scores)
    assert len(found) == 19
    return found


def by_fold(predicted, model, measure):
    """A measure of each fold, averaged over its seeds."""
    values = {}
    for (name, fold, _), (labels, scores) in predicted.items():
        if name == model:
            values.setdefault(fold, []).append(measure(labels, scores))
    return np.array([np.mean(values[fold]) for fold in range(5)])


@pytest.fixture(scope="module")
def files(findings, tmp_path_factory):
    """The folder with the report's tables."""
    out = tmp_path_factory.mktemp("tables")
    write_tables(findings, out, published_sources(), as_published=False, names=REAL)
    return out


def records(path):
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("model", ["convnext", "vit"])
@pytest.mark.parametrize("metric", SECOND_WAY)
def test_mean_and_deviation_over_folds(files, predicted, model, metric):
    values = by_fold(predicted, model, SECOND_WAY[metric])
    (row,) = [row for row in records(files / "summary.csv") if row["configuration"] == f"mk11/{model}"]
    assert float(row[f"{metric}_mean"]) == pytest.approx(values.mean(), abs=1e-12)
    assert float(row[f"{metric}_sd"]) == pytest.approx(values.std(ddof=1), abs=1e-12)


@pytest.mark.parametrize("model", ["convnext", "vit"])
def test_the_printed_row_is_the_rounded_figures(files, predicted, model):
    (line,) = [line for line in (files / "summary.md").read_text().splitlines() if f"mk11/{model}" in line]
    printed = re.findall(r"(\d+\.\d\d) ± (\d+\.\d\d)", line)
    metrics = (
        "accuracy",
        "balanced_accuracy",
        "f1_weighted",
        "f1_macro",
        "pr_auc",
        "average_precision_macro",
    )
    values = [100 * by_fold(predicted, model, SECOND_WAY[metric]) for metric in metrics]
    assert printed == [(f"{value.mean():.2f}", f"{value.std(ddof=1):.2f}") for value in values]


@pytest.mark.parametrize("subtype", range(len(CLASSES)))
def test_figures_of_each_class(files, predicted, subtype):
    found = {
        row["measure"]: row
        for row in records(files / "per_class.csv")
        if row["configuration"] == "mk11/vit" and row["class"] == CLASSES[subtype]
    }
    second_way = {
        "pr_auc": lambda y, p: trapezoid(y == subtype, p[:, subtype]),
        "recall": lambda y, p: sk.recall_score(y == subtype, p.argmax(1) == subtype),
        "f1": lambda y, p: sk.f1_score(y == subtype, p.argmax(1) == subtype),
    }
    for measure, second in second_way.items():
        values = by_fold(predicted, "vit", second)
        assert float(found[measure]["mean"]) == pytest.approx(values.mean(), abs=1e-12)
        assert float(found[measure]["sd"]) == pytest.approx(values.std(ddof=1), abs=1e-12)


def test_the_comparison_and_its_tests(files, predicted, matrix):
    (row,) = records(files / "comparisons.csv")
    measure = SECOND_WAY["f1_macro"]
    ours, theirs = by_fold(predicted, "convnext", measure), by_fold(predicted, "vit", measure)
    assert float(row["difference"]) == pytest.approx((ours - theirs).mean(), abs=1e-12)
    plain = stats.ttest_rel(ours, theirs)
    assert float(row["p_t"]) == pytest.approx(plain.pvalue, rel=1e-9)
    sizes = [json.loads(path.read_text())["data"]["images"] for path in matrix.rglob("convnext/*/run.json")]
    ratio = np.mean([size["test"] / size["train"] for size in sizes])
    t = (ours - theirs).mean() / ((ours - theirs).std(ddof=1) * np.sqrt(1 / 5 + ratio))
    corrected = 2 * stats.t.sf(abs(t), 4)
    assert float(row["p_corrected"]) == pytest.approx(corrected, rel=1e-9)
    assert float(row["p_holm"]) == pytest.approx(min(1, 3 * corrected), rel=1e-9)  # of three declared
    assert float(row["low"]) < float(row["difference"]) < float(row["high"])


def test_the_calibration_table(findings, predicted):
    def brier(labels, scores):
        return np.mean(np.sum((scores.astype(float) - np.eye(len(CLASSES))[labels]) ** 2, axis=1))

    (row,) = [row for row in findings.rows if row.label == "mk11/vit"]
    assert row.calibration["brier"].mean == pytest.approx(by_fold(predicted, "vit", brier).mean(), abs=1e-9)


def test_the_optimism_gap_is_the_best_validation_epoch_less_test(files, predicted, matrix):
    best = {}
    for path in matrix.rglob("vit/*/metrics.csv"):
        record = json.loads((path.parent / "run.json").read_text())
        best.setdefault(record["fold"], []).append(pd.read_csv(path)["val/pr_auc"].max())
    published = np.array([np.mean(best[fold]) for fold in range(5)])
    test = by_fold(predicted, "vit", SECOND_WAY["pr_auc"])
    (row,) = [
        row
        for row in records(files / "as_published.csv")
        if row["configuration"] == "mk11/vit" and row["metric"] == "pr_auc"
    ]
    assert float(row["as_published_mean"]) == pytest.approx(published.mean(), abs=1e-9)
    assert float(row["gap_mean"]) == pytest.approx((published - test).mean(), abs=1e-9)
