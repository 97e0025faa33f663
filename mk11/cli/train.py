"""`python train.py`: train one fold, evaluate it, and leave a run folder with all that was found."""

import os
import sys

import torch
from hydra.errors import InstantiationException
from omegaconf import DictConfig
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from mk11.cli.job import Job, job_of
from mk11.cli.plan import print_plan
from mk11.cli.run import fit_job, run
from mk11.cli.summary import print_marks, print_summary
from mk11.errors import UserError
from mk11.files import read_json
from mk11.runs.environment import commit


def train(cfg: DictConfig) -> float | None:
    """Run what the config asks for; a user's mistake is printed in one sentence and ends with status 2.

    Returns:
        The best validation value of the monitored metric; None for `dry`.
    """
    try:
        return _train(cfg)
    except (UserError, InstantiationException) as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        print(f"error: {_sentence(error)}", file=sys.stderr)
        raise SystemExit(2) from error


def _sentence(error: Exception) -> str:
    """Hydra wraps what a constructor raises; a value it could not use is told with the config's key."""
    if not isinstance(error, InstantiationException):
        return str(error)
    if isinstance(error.__cause__, UserError):
        return str(error.__cause__)
    return " ".join(f"{error} (HYDRA_FULL_ERROR=1 shows where)".split())


def _train(cfg: DictConfig) -> float | None:
    job = job_of(cfg)
    job.check()
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    print_marks(job.marks)
    if cfg.dry:
        print_plan(job)
        return None
    if _is_helper():
        fit_job(job, [])
        return None
    with job.folder.locked():
        if not _finished(job):
            run(job)
    return read_json(job.folder.metrics)["best_validation"][cfg.monitor]["value"]


def _is_helper() -> bool:
    """Whether Lightning started this process for a further device of a run that another process owns."""
    return getattr(rank_zero_only, "rank", 0) != 0


def _finished(job: Job) -> bool:
    """Whether the result is there already; says so, and makes room where a rerun is asked for."""
    folder, now, rerun = job.folder, commit(), job.cfg.rerun
    made_by = folder.read().get("commit")
    finished = folder.status() == "finished" and folder.metrics.exists()
    if rerun is True or (rerun == "stale" and finished and made_by != now):
        folder.set_aside()
        return False
    if not finished:
        return False
    print(f"finished already: {folder.path} (rerun=true does it again)")
    if made_by != now:
        print(f"  made by commit {made_by}, now at {now} (rerun=stale does it again)")
    print_summary(folder)
    return True
