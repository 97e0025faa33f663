"""`python train.py`: train one fold, evaluate it, and leave a run folder with all that was found."""

import os
import sys
from pathlib import Path

import torch
from hydra.errors import InstantiationException
from omegaconf import DictConfig
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from mk11.cli.job import Job, job_of
from mk11.cli.matrix.cells import is_finished, remember_search
from mk11.cli.matrix.run import cross_validate, in_multirun, run_cell
from mk11.cli.matrix.supervise import hold_lifeline
from mk11.cli.plan import print_plan
from mk11.cli.run import fit_job, run
from mk11.cli.sentence import sentence
from mk11.cli.summary import print_marks, print_summary
from mk11.errors import UserError
from mk11.files import read_json
from mk11.runs.environment import commit
from mk11.training.loggers import report_to_agent


def train(cfg: DictConfig, *, script: Path) -> float | None:
    """Run what the config asks for; a user's mistake is printed in one sentence and ends with status 2.

    Args:
        cfg: The composed config.
        script: The file of `train.py`, which the cells of a matrix are started by.

    Returns:
        The best validation value of the monitored metric, their mean for `fold=all`; None for `dry`.
    """
    hold_lifeline()
    try:
        if cfg.dry:
            _plan(cfg)
            return None
        if in_multirun():
            return run_cell(cfg, script=script)
        return cross_validate(cfg, script=script) if cfg.fold == "all" else _train(cfg)
    except (UserError, InstantiationException) as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        print(f"error: {sentence(error)}", file=sys.stderr)
        raise SystemExit(2) from error


def _train(cfg: DictConfig) -> float | None:
    job = job_of(cfg)
    job.check()
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    print_marks(job.marks)
    if _is_helper():
        fit_job(job, [])
        return None
    with job.folder.locked():
        if _finished(job):
            remember_search(job)
            report_to_agent(logger=job.config["logger"], folder=job.folder.path)
        else:
            run(job)
    return read_json(job.folder.metrics)["best_validation"][cfg.monitor]["value"]


def _plan(cfg: DictConfig) -> None:
    """Print what would be trained; the folds of `fold=all` differ little, so its first stands for them."""
    job = job_of(cfg)
    job.check()
    if cfg.fold == "all":
        cfg.fold = job.data.fold_numbers[0]
    print_marks(job.marks)
    print_plan(job)


def _is_helper() -> bool:
    """Whether Lightning started this process for a further device of a run that another process owns."""
    return getattr(rank_zero_only, "rank", 0) != 0


def _finished(job: Job) -> bool:
    """Whether the result is there already; says so, and makes room where a rerun is asked for."""
    folder, now = job.folder, commit()
    made_by = folder.read().get("commit")
    if not is_finished(job):
        if job.cfg.rerun is True or folder.status() == "finished":
            folder.set_aside()
        return False
    print(f"finished already: {folder.path} (rerun=true does it again)")
    if made_by != now:
        print(f"  made by commit {made_by}, now at {now} (rerun=stale does it again)")
    print_summary(folder, brief=False)
    return True
