"""One run, from the first step to the summary, with its record in `run.json`."""

import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from socket import gethostname

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mk11.cli.job import Job
from mk11.cli.matrix.supervise import is_supervised
from mk11.cli.summary import print_start, print_summary
from mk11.evaluation.evaluate import evaluate, write_results
from mk11.evaluation.hardest import write_hardest
from mk11.files import replacing
from mk11.runs.environment import commit, device_name, versions
from mk11.training.fit import build_trainer, fit, slim_checkpoint
from mk11.training.loggers import Mirror
from mk11.training.progress import write_progress


def run(job: Job) -> None:
    """Train or go on training, evaluate, and write everything into the run folder."""
    folder = job.folder
    job.network  # noqa: B018  weights that do not fit are told before the run has a record
    with replacing(folder.config) as temporary:
        temporary.write_text(OmegaConf.to_yaml(OmegaConf.create(job.config)))
    with _recorded(job):
        print_start(job)
        with _mirrors(job) as mirrors:
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


@contextmanager
def _recorded(job: Job) -> Iterator[None]:
    """Write into `run.json` what begins and how it ended, with the traceback in `error.txt`."""
    folder, before, begun = job.folder, job.folder.read(), time.time()
    start = {
        "commit": commit(),
        "device": device_name(job.cfg.trainer.accelerator),
        "hostname": gethostname(),
        "started": _now(),
    }
    starts = [*before.get("starts", []), start]
    if before and before["commit"] != start["commit"]:
        print(f"begun by commit {before['commit']}, goes on at {start['commit']}")
    record = {**job.record(), "versions": versions(), **start, "starts": starts, "status": "running"}
    folder.update(record)
    status = "failed"
    try:
        yield
        status = "finished"
        folder.error.unlink(missing_ok=True)
    except (KeyboardInterrupt, SystemExit):
        status = "interrupted"
        raise
    except BaseException:
        folder.error.write_text(traceback.format_exc())
        raise
    finally:
        seconds = before.get("seconds", 0) + time.time() - begun
        folder.update({"status": status, "ended": _now(), "seconds": round(seconds, 1)})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _mirrors(job: Job) -> Iterator[list[Mirror]]:
    """The loggers that the config asks for; each is always told how the run ended."""
    makers = [instantiate(node, _partial_=True, _convert_="all") for node in job.cfg.logger.values()]
    mirrors = [make(folder=job.folder, config=job.config, record=job.record()) for make in makers]
    code = 1
    try:
        yield mirrors
        code = 0
    finally:
        for mirror in mirrors:
            mirror.finish(code)
