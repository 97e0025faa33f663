"""Every row of experiment/activessf: as it is written, and small from the fields to the report."""

import copy
import csv
import re
from functools import cache, partial
from pathlib import Path

import pandas as pd
import pytest
import timm
import torch
from activessf_rows import CONF, FOLDS, ROWS, row_words
from conftest import ROOT, composed
from hydra.core.hydra_config import HydraConfig
from safetensors.torch import save_file

from mk11.cli.job import Job
from mk11.cli.pretrain.script import pretrain
from mk11.cli.selection.script import select
from mk11.cli.stages import ensure, words
from mk11.cli.train import train
from mk11.files import read_json
from mk11.models.encoder_file import read_about
from mk11.report.__main__ import main as report
from mk11.report.lineage import steps_before
from mk11.report.published import published_sources
from mk11.runs.ledger import read_run


def head(row):
    return (CONF / "experiment" / "activessf" / f"{row}.yaml").read_text()


SCRIPTS = {"pretrain.py": pretrain, "select.py": select}
QUICK = ("mae", "mae_activessf", "vit_imagenet")  # one of each kind; the others as well in `make test-long`
AS_WRITTEN = [pytest.param(row, marks=() if row in QUICK else pytest.mark.long) for row in ROWS]
STAGED = [param for param in AS_WRITTEN if "weights: stage:pretrain" in head(*param.values)]
PUBLISHED = re.compile(r"accuracy ([\d.]+), PR-AUC ([\d.]+), F1 ([\d.]+)")
IMAGENET_START = re.compile(r"'(pretrain\.overrides=.*FILE.*)'")


@pytest.fixture
def imagenet(monkeypatch, tmp_path_factory):
    """Drawn weights of toys in place of those that a network of computers would bring."""
    folder = tmp_path_factory.mktemp("imagenet")

    def drawn(pretrained_cfg):
        name = pretrained_cfg["architecture"]
        path = folder / f"{name}.safetensors"
        if name.startswith("test_") and not path.exists():  # of others only the place is asked for
            # asked where networks are but sketched
            with torch.device("cpu"), torch.random.fork_rng():
                torch.manual_seed(0)
                save_file(timm.create_model(name).state_dict(), path)
        return path

    monkeypatch.setattr("mk11.models.weights.imagenet_file", drawn)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One folder of all rows: what means the same is made once."""
    return tmp_path_factory.mktemp("rows") / "runs"


@pytest.fixture
def stages(monkeypatch):
    """Stages run in this process; the scripts that were started, in their order."""
    started = []

    def run(watch):
        script = Path(watch.command[1])
        started.append(script.name)
        overrides = [word for word in watch.command[2:] if not word.startswith("hydra.")]
        before = HydraConfig.instance().cfg
        SCRIPTS[script.name](composed(script.stem, *overrides), script=script)
        HydraConfig.instance().cfg = before
        return 0

    monkeypatch.setattr(ensure, "supervise", run)
    return started


@pytest.fixture
def quicker(monkeypatch):
    """Without half of a small run's time: figures, the next command, and configs composed before."""
    monkeypatch.setattr("mk11.evaluation.evaluate.draw_figures", lambda *_, **__: None)
    for stage in ("pretrain", "selection"):
        monkeypatch.setattr(f"mk11.cli.{stage}.summary.next_command", lambda _: "")
    known = cache(partial(_composed_once, words.composed))
    monkeypatch.setattr(
        words, "composed", lambda name, overrides: copy.deepcopy(known(name, tuple(overrides)))
    )


def _composed_once(compose, name, overrides):
    return compose(name, list(overrides))


@pytest.fixture
def make(cells, disc_fields, runs, imagenet, stages, quicker):
    """Run one fold of a row; the job that it was."""

    def made(row, *more, pretraining=()):
        overrides = row_words(row, cells=cells, fields=disc_fields, runs=runs, pretraining=pretraining)
        cfg = composed("train", *overrides, *more)
        train(cfg, script=ROOT / "train.py")
        return Job.of(cfg)

    return made


@pytest.mark.parametrize("row", AS_WRITTEN)
def test_a_row_is_accepted_with_nothing_but_the_places_of_cells_and_fields(
    row, cells, disc_fields, tmp_path, imagenet
):
    given = (f"data.root={cells}", f"select.fields={disc_fields}", f"runs={tmp_path}")
    job = Job.of(composed("train", f"experiment=activessf/{row}", *given))
    job.check()
    if job.pretraining is not None:
        assert job.pretraining.selection.field_data.root == disc_fields


@pytest.mark.parametrize("row", STAGED)
def test_the_imagenet_start_that_a_row_tells_is_one(row, cells):
    words = IMAGENET_START.search(head(row))[1]
    job = Job.of(
        composed("train", f"experiment=activessf/{row}", "select.fields=x", f"data.root={cells}", words)
    )
    stage = job.pretraining.config
    told = (stage["model"]["weights"], stage["epochs"], stage["pool"]["manifests"])
    assert told == ("FILE", 400, ["stage:select"])


@pytest.mark.parametrize("row", ROWS)
def test_a_rows_head_has_the_published_figures(row):
    (source,) = [source for source in published_sources() if source.key == "activessf"]
    method = re.search(r"row \d+: (.*)", head(row))[1]
    printed = PUBLISHED.search(head(row)).groups()
    known = {one.method: one.figures for one in source.rows}
    if method in known:  # the ablation's table is not among them
        figures = [known[method][name][0] for name in ("accuracy", "pr_auc", "f1_macro")]
        assert [f"{100 * figure:.2f}" for figure in figures] == list(printed)


@pytest.mark.long
@pytest.mark.parametrize("row", ROWS)
def test_a_row_goes_from_the_fields_to_the_report(row, make, runs, tmp_path):
    jobs = [make(row, f"fold={fold}") for fold in FOLDS]
    for job in jobs:
        if job.pretraining is not None:
            check_lineage(job)
    found = [read_run(job.folder.path) for job in jobs]
    assert {run.status for run in found} == {"finished"}
    assert report([str(runs / "train"), "--out", str(tmp_path), "--tables", "--no-intervals"]) == 0
    (line,) = [
        one for one in read_csv(tmp_path / "summary.csv") if f"activessf/{row}" == one["configuration"]
    ]
    assert line["folds"] == "2"


def check_lineage(job):
    """Each stage names the one before, and the encoder saw what was selected, of no held-out patient."""
    pretraining, selection = job.pretraining, job.pretraining.selection
    way = {step.what: step for step in steps_before(read_run(job.folder.path))}
    assert way["pre-training"].place == pretraining.folder.path
    assert way["selection"].place == selection.folder.path
    assert selection.fields.fingerprint in way["fields"].told
    chosen = read_json(selection.folder.record)["choices"]
    said = [word.split("=") for word in selection.overrides if word.split("=")[0] in chosen]
    assert all(chosen[group] == name for group, name in said)
    table = pd.read_parquet(selection.manifest)
    steps = read_json(selection.folder.path / "summary.json")["steps"]
    assert 0 < len(table) == steps["selected"]
    assert (len(table) < steps["eligible"]) == (selection.row == "activessf")
    assert set(read_about(pretraining.folder.encoder)["trained_on"]) <= set(table["content_hash"])
    assert set(table["field"]) <= set(selection.fields.table["id"])
    assert not set(table["group"]) & job.data.held_out(job.cfg.fold).groups
    assert "transductive" not in job.marks


def read_csv(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.mark.long
def test_what_a_row_shares_with_another_run_is_not_made_again(make, stages):
    first = make("mae_activessf", "fold=0")
    del stages[:]
    again = make("mae_activessf", "fold=0")
    assert len(read_json(again.folder.record)["starts"]) == 1
    make("mae_activessf", "fold=0", "optim.base_lr=1e-4")
    assert stages == []
    other = make("mae_activessf", "fold=0", pretraining=("ssl.mask_ratio=0.5",))
    assert stages == ["pretrain.py"]
    assert other.pretraining.selection.folder.path == first.pretraining.selection.folder.path
