"""`python train.py`: train one fold, evaluate it, and leave a run folder with all that was found."""

import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from mk11.cli.job import Job, job_of
from mk11.cli.plan import print_plan
from mk11.cli.summary import print_marks, print_start, print_summary
from mk11.errors import UserError
from mk11.evaluation.evaluate import evaluate, write_results
from mk11.files import read_json, replacing
from mk11.runs.environment import commit, device_name, versions
from mk11.training.fit import build_trainer, fit, slim_checkpoint
from mk11.training.loggers import WandbMirror

RERUN = (False, True, "stale")


def train(cfg: DictConfig) -> float | None:
    """Run what the config asks for.

    Returns:
        The best validation value of the monitored metric; None for `dry`.
    """
    try:
        return _train(cfg)
    except (UserError, InstantiationException) as error:
        told = error.__cause__ if isinstance(error, InstantiationException) else error
        if not isinstance(told, UserError):
            raise
        print(f"error: {told}", file=sys.stderr)
        raise SystemExit(2) from error


def _train(cfg: DictConfig) -> float | None:
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    job = job_of(cfg)
    job.settings, job.precision  # noqa: B018  a mistake in a key is told before images are read
    print_marks(job.fold.marks)
    if cfg.dry:
        print_plan(job)
        return None
    if _is_helper():
        _fit(job, [])
        return None
    with job.folder.locked():
        if not _finished(job):
            _run(job)
    return read_json(job.folder.metrics)["best_validation"][cfg.monitor]["value"]


def _is_helper() -> bool:
    """Whether Lightning started this process for a further device of a run that another process owns."""
    return getattr(rank_zero_only, "rank", 0) != 0


def _finished(job: Job) -> bool:
    """Whether the result is there already; says so, and makes room where a rerun is asked for."""
    if job.cfg.rerun not in RERUN:
        raise UserError(f"rerun must be false, true or stale, but is {job.cfg.rerun}")
    record, now = job.folder.read(), commit()
    if record.get("status") != "finished":
        return False
    stale = record.get("commit") != now
    if job.cfg.rerun is True or (job.cfg.rerun == "stale" and stale):
        job.folder.set_aside()
        return False
    print(f"finished already: {job.folder.path} (rerun=true does it again)")
    if stale:
        print(f"  made by commit {record.get('commit')}, now at {now} (rerun=stale does it again)")
    print_summary(job.folder)
    return True


def _run(job: Job) -> None:
    folder, start = job.folder, time.time()
    starts = folder.read().get("starts", 0) + 1
    with replacing(folder.config) as temporary:
        temporary.write_text(OmegaConf.to_yaml(OmegaConf.create(job.config)))
    folder.update({**job.record(), "starts": starts, **_made_with(start), "status": "running"})
    print_start(job)
    with _told(job, start), _loggers(job) as loggers:
        _fit(job, loggers)
        _evaluate(job, loggers)
    for path in (folder.best, folder.last):
        slim_checkpoint(path, classes=job.fold.classes, model=job.config["model"])
    print_summary(folder)


def _made_with(start: float) -> dict[str, object]:
    return {
        "commit": commit(),
        "versions": versions(),
        "device": device_name(),
        "started": datetime.fromtimestamp(start, UTC).isoformat(timespec="seconds"),
    }


@contextmanager
def _told(job: Job, start: float) -> Iterator[None]:
    """Write into `run.json` how the run ended, with the traceback in `error.txt`."""
    status = "failed"
    try:
        yield
        status = "finished"
        job.folder.error.unlink(missing_ok=True)
    except (KeyboardInterrupt, SystemExit):
        status = "interrupted"
        raise
    except BaseException:
        job.folder.error.write_text(traceback.format_exc())
        raise
    finally:
        ended = datetime.now(UTC).isoformat(timespec="seconds")
        job.folder.update({"status": status, "ended": ended, "seconds": round(time.time() - start, 1)})


@contextmanager
def _loggers(job: Job) -> Iterator[list[Logger]]:
    """The mirrors that the config asks for; W&B is always told how the run ended."""
    makers = [instantiate(node, _partial_=True, _convert_="all") for node in job.cfg.logger.values()]
    loggers = [make(folder=job.folder, config=job.config, record=job.record()) for make in makers]
    code = 1
    try:
        yield loggers
        code = 0
    finally:
        for logger in loggers:
            if isinstance(logger, WandbMirror):
                logger.finish(code)


def _fit(job: Job, loggers: list[Logger]) -> None:
    options = {**job.config["trainer"], "precision": job.precision}
    options = {key: value for key, value in options.items() if key not in ("channels_last", "compile")}
    trainer = build_trainer(folder=job.folder, settings=job.settings, loggers=loggers, **options)
    fit(trainer, job.task, job.loaders, folder=job.folder, ids=job.fold.table["id"].tolist())


def _evaluate(job: Job, loggers: list[Logger]) -> None:
    """Validation and test, for the best epoch and for the last: the only time that test images are read."""
    predictions = evaluate(
        job.network,
        checkpoints={"best": job.folder.best, "last": job.folder.last},
        fold=job.fold,
        loaders=job.loaders,
        device=job.task.device,
        precision=job.precision,
    )
    metrics = write_results(job.folder, predictions, job.fold.classes, monitor=job.cfg.monitor)
    for logger in loggers:
        if isinstance(logger, WandbMirror):
            logger.summarise({"val": metrics["val"], "test": metrics["test"]})
