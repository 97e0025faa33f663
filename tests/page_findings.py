"""Findings made in memory, for tests of the page: as many configurations as wanted, no files, no training."""

import numpy as np

from mk11.evaluation.statistics.bootstrap import Interval
from mk11.evaluation.statistics.comparison import Comparison
from mk11.metrics.final import OVERALL
from mk11.report.findings import Compared, Findings
from mk11.report.rows import row_of
from mk11.runs.configurations import Configuration
from mk11.runs.folder import RunFolder
from mk11.runs.ledger import Run

CLASSES = ("blast", "granular", "naked")


def configuration(root, number, *, folds=5, classes=CLASSES, level=0.5, failed=(), label=None, marks=None):
    """A configuration whose accuracy on fold k is `level` + k / 1000, without files."""
    key, label = f"{number:08x}", label or f"mk11/model{number}"
    runs = [
        run(
            root / key / f"fold{fold}", fold, classes, level + fold / 1000, failed=fold in failed, marks=marks
        )
        for fold in range(folds)
    ]
    settings = {"model": f"model{number}", "epochs": 50, "data.set": "5e7f00d5e7f00d00"}
    return Configuration(key, label, settings, tuple(runs))


def run(path, fold, classes, value, *, failed=False, marks=None):
    """One run; every metric is `value`."""
    record = {
        "stage": "train",
        "experiment": "mk11",
        "model": "convnext",
        "fold": fold,
        "seed": 0,
        "data": {
            "name": "cells",
            "classes": list(classes),
            "images": {"train": 60, "val": 20, "test": 20},
            "marks": marks or {},
            "set": "5e7f00d5e7f00d00",
            "folds": list(range(5)),
            "holdout": 0,
        },
        "lineage": {"weights": "imagenet", "weights_hash": "abcdef01", "report": {"loaded": 182}},
        "precision": "bf16-mixed",
        "overrides": ["model=convnext", f"fold={fold}"],
        "commit": "0123456789abcdef0123456789abcdef01234567+",
        "versions": {"python": "3.11", "torch": "2.15.0"},
        "device": "x86_64 CPU, 1 threads",
        "started": "2026-03-01T10:00:00+00:00",
        "ended": "2026-03-01T10:05:00+00:00",
        "seconds": 300.0 + fold,
        "status": "failed" if failed else "finished",
    }
    made = Run(RunFolder(path), record, None if failed else _metrics(classes, value))
    vars(made)["config"] = {
        "data": {"folds": {"count": 5}},
        "model": {},
    }  # else read from its file on first use
    return made


def findings(configurations, **changes):
    """Of configurations, all with a result; the first is compared with the second where there are two."""
    content = {
        "rows": [row_of(c) for c in configurations],
        "compared": [compared(*configurations[:2])] if len(configurations) > 1 else [],
        "refused": [],
        "runs": [one for c in configurations for one in c.runs],
        "problems": [],
        "warnings": [],
        "primary": "f1_macro",
    }
    return Findings(**content | changes)


def compared(
    a, b, *, difference=0.02, low=-0.01, high=0.05, family="default", fewest=14, unit="group", p=0.3
):
    """A comparison of two configurations; `p` is that of the corrected t-test and Holm's."""
    interval = Interval(
        estimate=difference, low=low, high=high, level=0.95, unit=unit, draws=1000, dropped=0, folds=5,
        units=70, fewest=fewest,
    )  # fmt: skip
    result = Comparison(
        metric="f1_macro", difference=difference, interval=interval, p_bootstrap=0.2, t=1.5, p_t=0.03,
        corrected_t=1.1, p_corrected=p, detectable=0.031, folds=tuple(range(5)),
        per_fold=dict(zip(range(5), np.full(5, difference), strict=True)), unit=unit,
    )  # fmt: skip
    return Compared(
        a=a,
        b=b,
        result=result,
        family=family,
        p_holm=p if family else None,
        p_holm_bootstrap=p if family else None,
    )


def texts(table):
    """The texts of its fields."""
    return [[cell.text for cell in row] for row in table.rows]


def _metrics(classes, value):
    measures = {"precision": value, "recall": value, "f1": value, "pr_auc": value, "support": 8}
    split = {**dict.fromkeys(OVERALL, value), "images": 20, "absent": []}
    split["per_class"] = {name: dict(measures) for name in classes}
    best = {name: {"value": value + 0.01, "epoch": 30} for name in OVERALL}
    return {
        "monitor": "pr_auc",
        "epochs": 50,
        "best_epoch": 40,
        "val": split,
        "test": split,
        "last": {"val": split, "test": split},
        "best_validation": best,
    }
