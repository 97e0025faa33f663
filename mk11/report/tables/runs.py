"""One record for each run, with all that its folder tells."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mk11.report.findings import MEASURES, Findings
from mk11.report.lineage import told_steps
from mk11.report.names import Names
from mk11.runs.configurations import settings_of
from mk11.runs.labels import differing
from mk11.runs.ledger import Run
from mk11.runs.marks import data_marks

RECORD = (
    "stage", "experiment", "model", "fold", "seed", "identity", "precision", "commit", "device", "started",
    "ended", "seconds",
)  # fmt: skip
DATA = ("name", "set", "fingerprint", "holdout")


def run_records(findings: Findings, names: Names) -> Iterator[dict[str, Any]]:
    """A record for each run; of the settings those that are not the same in all."""
    configurations = [*(row.configuration for row in findings.rows), *findings.unfinished]
    of_run = {run.folder.path: one for one in configurations for run in one.runs}
    settings = [settings_of(run) for run in findings.runs]
    keys = differing(settings)
    for run, told in zip(findings.runs, settings, strict=True):
        configuration = of_run.get(run.folder.path)
        yield {
            "configuration": configuration.label if configuration else None,
            "key": configuration.key if configuration else None,
            "status": run.status,
            **_recorded(run, names),
            **{f"config {name}": _text(told.get(name), names) for name in keys},
            **(_measured(run.metrics) if run.metrics is not None else {}),
            **_lineage(run, names),
            "folder": names.path(run.folder.path),
        }


def _recorded(run: Run, names: Names) -> dict[str, Any]:
    data = run.record["data"]
    images = data.get("images") or {}
    return {
        **{name: run.record.get(name) for name in RECORD},
        **{f"data {name}": data.get(name) for name in DATA},
        **{f"{split} images": images.get(split) for split in ("train", "val", "test")},
        "marks": names.sentence("; ".join(data_marks(data.get("marks") or {}))),
        "overrides": " ".join(names.override(str(told)) for told in run.record.get("overrides") or ()),
    }


def _lineage(run: Run, names: Names) -> dict[str, str]:
    """The steps from the fields to the run, those of a kind in one field."""
    steps: dict[str, list[str]] = {}
    for what, told in told_steps(run, names):
        steps.setdefault(what, []).append(told)
    return {what: "; ".join(told) for what, told in steps.items()}


def _measured(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """All values of metrics.json, under names of their place in it."""
    parts = {"test": metrics["test"], "val": metrics["val"], "last test": metrics["last"].get("test") or {}}
    best = metrics.get("best_validation") or {}
    return {
        **{name: metrics.get(name) for name in ("monitor", "epochs", "best_epoch")},
        **{
            f"{part} {name}": value
            for part, values in parts.items()
            for name, value in values.items()
            if name not in ("images", "absent", "per_class")
        },
        **{f"best val {name} {what}": value for name, told in best.items() for what, value in told.items()},
        **{
            f"test {name} {measure}": values[measure]
            for name, values in metrics["test"]["per_class"].items()
            for measure in (*MEASURES, "support")
        },
    }


def _text(value: object, names: Names) -> object:
    if isinstance(value, list | dict):
        return names.sentence(json.dumps(value))
    return names.value(value) if isinstance(value, str) else value
