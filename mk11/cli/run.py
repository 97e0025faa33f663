"""One training, from the first step to the summary."""

from collections.abc import Sequence

import torch

from mk11.cli.job import Job
from mk11.cli.matrix.supervise import is_supervised
from mk11.cli.record import mirrored, recorded
from mk11.cli.summary import print_start, print_summary
from mk11.evaluation.evaluate import evaluate, write_results
from mk11.evaluation.hardest import write_hardest
from mk11.loop.progress import write_progress
from mk11.loop.trainer import slim_checkpoint
from mk11.training.fit import build_trainer, fit
from mk11.training.loggers import Mirror


def run(job: Job) -> None:
    """Train or go on training, evaluate, and write everything into the run folder."""
    folder = job.folder
    job.network  # noqa: B018  weights that do not fit are told before the run has a record
    with recorded(job):
        print_start(job)
        with mirrored(job) as mirrors:
            device = fit_job(job, mirrors)
            _evaluate(job, mirrors, device)
    for path in (folder.best, folder.last):
        slim_checkpoint(path)
    print_summary(folder, brief=is_supervised())


def fit_job(job: Job, mirrors: Sequence[Mirror]) -> torch.device:
    """Train; returns the device that did, as Lightning moves the network off it in the end."""
    options = {**job.config["trainer"], "precision": job.precision}
    options = {key: value for key, value in options.items() if key not in ("channels_last", "compile")}
    trainer = build_trainer(folder=job.folder, settings=job.settings, loggers=list(mirrors), **options)
    device = trainer.strategy.root_device
    fit(trainer, job.task, job.loaders, folder=job.folder, ids=job.fold.table["id"].tolist())
    return device


def _evaluate(job: Job, mirrors: Sequence[Mirror], device: torch.device) -> None:
    """Validation and test, for the best epoch and for the last: the only time that test images are read."""
    epochs = job.settings.epochs
    write_progress(
        job.folder, phase="evaluating", epoch=epochs, epochs=epochs, step=0, steps=0, seconds_per_epoch=None
    )
    predictions = evaluate(
        job.network,
        checkpoints={"best": job.folder.best, "last": job.folder.last},
        fold=job.fold,
        loaders=job.loaders,
        device=device,
        precision=job.precision,
    )
    write_results(job.folder, predictions, job.fold.classes, monitor=job.cfg.monitor)
    write_hardest(job.folder, predictions, job.fold)
    for mirror in mirrors:
        mirror.publish(job.folder)
