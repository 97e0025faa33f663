"""One pre-training, from the first step to the encoder's file and the summary."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from mk11.cli.lineage import COLLAPSE
from mk11.cli.matrix.supervise import is_supervised
from mk11.cli.pretrain.checks import LOSS
from mk11.cli.pretrain.job import PretrainJob
from mk11.cli.pretrain.summary import print_start, print_summary
from mk11.cli.record import mirrored, recorded
from mk11.evaluation.figures import pretraining_curves
from mk11.files import write_json
from mk11.loop.trainer import slim_checkpoint
from mk11.models.encoder_file import file_hash, write_encoder
from mk11.runs.environment import commit, versions
from mk11.ssl.batchnorm import synchronised
from mk11.ssl.fit import build_trainer, fit
from mk11.ssl.settings import MEASURES
from mk11.training.loggers import Mirror

OTHER_MEASURES = {"health/feature_std": "feature_std", "health/rankme": "rankme", "pretrain/chance": "chance"}


def run(job: PretrainJob) -> None:
    """Pre-train or go on with it, and write everything into the run folder."""
    folder = job.folder
    job.loaders, job.method  # noqa: B018  what does not fit is told before the run has a record
    with recorded(job):
        print_start(job)
        with mirrored(job) as mirrors:
            fit_job(job, mirrors)
            _write_results(job)
            for mirror in mirrors:
                mirror.publish(folder)
    slim_checkpoint(folder.last)
    folder.good.unlink(missing_ok=True)
    print_summary(job, brief=is_supervised())


def fit_job(job: PretrainJob, mirrors: Sequence[Mirror]) -> None:
    """Train; batch norm sees the images of all devices."""
    own = ("channels_last", "compile", "grad_checkpointing")
    options = {key: value for key, value in job.config["trainer"].items() if key not in own}
    if options["devices"] * options["num_nodes"] > 1:
        on_gpu = options["accelerator"] != "cpu" and torch.cuda.is_available()
        synchronised(job.method, on_gpu=on_gpu)
    trainer = build_trainer(
        folder=job.folder,
        settings=job.settings,
        watch=job.watch,
        loggers=list(mirrors),
        **{**options, "precision": job.precision},
    )
    fit(trainer, job.task, job.loaders, folder=job.folder)


def _write_results(job: PretrainJob) -> None:
    """The encoder with what it says of itself, the final measures, the curves."""
    folder = job.folder
    _mark_collapse(job)
    made_with = {"commit": commit(), "versions": versions()}
    write_encoder(folder.encoder, job.method.encoder.cpu(), {**job.about(), **made_with})
    history = pd.read_csv(folder.history)
    write_json(
        folder.metrics,
        {
            "monitor": job.cfg.monitor,
            "epochs": len(history),
            "final": measures(history.iloc[-1]),
            "first_loss": float(history["pretrain/loss"].iloc[0]),
            "checks": [{"epoch": int(row["epoch"]), **measures(row)} for row in _checks(history)],
            "encoder": {"file": folder.encoder.name, "content_hash": file_hash(folder.encoder)},
        },
    )
    folder.figures.mkdir(exist_ok=True)
    pretraining_curves(history, folder.figures / "pretraining.svg")


def _mark_collapse(job: PretrainJob) -> None:
    """A last check that looked collapsed is told here, and by all that starts from the encoder."""
    if job.collapsed is None:
        return
    told = job.encoder_marks[COLLAPSE]
    print(f"warning: {told[0]}; it is marked, and so is all that starts from it", file=sys.stderr)
    data = job.folder.read()["data"]
    job.folder.update({"data": {**data, "marks": {**data["marks"], COLLAPSE: told}}})


def measures(row: "pd.Series[Any]") -> dict[str, float]:
    """What one epoch's row of the history says of the encoder, without what was not measured."""
    names = {"pretrain/loss": LOSS, **{f"val/{name}": name for name in MEASURES}, **OTHER_MEASURES}
    return {name: float(row[key]) for key, name in names.items() if key in row and np.isfinite(row[key])}


def _checks(history: pd.DataFrame) -> list["pd.Series[Any]"]:
    if "health/rankme" not in history:
        return []
    return [row for _, row in history[history["health/rankme"].notna()].iterrows()]
