"""A published row as a user runs it: one command for all folds, on drawn cells and fields; the report."""

import csv
import os
import subprocess
import sys

import pytest
from activessf_rows import PRETRAINING, TRAINING
from conftest import ROOT

from mk11.cli.stages.words import quoted
from mk11.data.synthetic.fields import generate_fields
from mk11.files import read_json
from mk11.runs.ledger import find_runs

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
ROW = "activessf/mae_activessf"
FIELDS = 10
# The row's own words, but with an encoder that needs no network, its distances, and limits for drawn cells.
SELECT = (
    "filter=paper",
    "filter.illumination=none",
    "filter.limits.min_side_px=24",
    "filter.limits.min_fill=0.4",
    "encoder=lite0",
    "encoder.image_size=64",
    "selection=activessf",
    "selection.thresholds.bounds=fixed",
    "selection.thresholds.lower=34",
    "selection.thresholds.upper=70",
    "gallery.fields=2",
    "gallery.field_px=200",
)
PRETRAIN = ("recipe=pretrain/published", "pool=selection", "ssl/tiny=mae", *PRETRAINING, "batch_size=2")


def python(*arguments):
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def made_files(runs):
    """When each file of a run was written, but for the locks that looking takes."""
    files = [path for path in runs.rglob("*") if path.is_file() and path.name not in ("heartbeat", "lock")]
    return {path: path.stat().st_mtime_ns for path in files if not path.name.startswith(".")}


@pytest.mark.long
def test_one_command_makes_every_fold_of_a_row_and_the_report_leads_back_to_the_fields(tmp_path):
    fields, runs, out = tmp_path / "fields", tmp_path / "runs", tmp_path / "report"
    generate_fields(fields, count=FIELDS, seed=0)
    command = (
        "train.py", f"experiment={ROW}", f"select.fields={fields}", "fold=all",
        "data=synthetic", "data.scale=0.02", f"data.root={tmp_path / 'cells'}", "data.folds.count=2",
        "model=mae_tiny", f"runs={runs}", *TRAINING,
        f"select.overrides={quoted(SELECT)}", f"pretrain.overrides={quoted(PRETRAIN)}",
    )  # fmt: skip
    assert "2 finished" in python(*command)
    found, problems = find_runs([runs])
    assert problems == []
    stages = ("pretrain", "select", "train")
    assert {(run.stage, run.fold, run.status) for run in found} == {
        (stage, fold, "finished") for stage in stages for fold in (0, 1)
    }
    made = made_files(runs / "train") | made_files(runs / "pretrain") | made_files(runs / "select")
    assert "2 finished already" in python(*command)
    assert made == {path: path.stat().st_mtime_ns for path in made}
    assert len(find_runs([runs])[0]) == 6

    python("-m", "mk11.report", str(runs), "--out", str(out), "--draws", "20", "--identify")
    assert [(one["configuration"], one["folds"]) for one in table(out / "summary.csv")] == [(ROW, "2")]
    of = {(run.stage, run.fold): run for run in found}
    page = (out / "index.html").read_text()
    for line in table(out / "runs.csv"):
        before, selected = (of[stage, int(line["fold"])] for stage in ("pretrain", "select"))
        assert line["pre-training"].startswith(f"{before.folder.path}, mae on ")
        assert line["selection"].startswith(f"{selected.folder.path}, activessf by features of ")
        state = selected.record["fields"]["fingerprint"]
        assert line["fields"] == f"{fields}, {FIELDS} of fields, state {state}"
        assert all(line[step] in page for step in ("pre-training", "selection", "fields"))
        counts = read_json(selected.folder.path / "summary.json")["steps"]
        assert 0 < counts["selected"] < counts["eligible"] < counts["kept"]


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))
