"""What every script does around its run: mistakes in one sentence, a finished run left as it is."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import torch
from hydra.errors import InstantiationException
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from mk11.cli.base import BaseJob, Kind
from mk11.cli.matrix.cells import is_finished, remember_search
from mk11.cli.sentence import sentence
from mk11.errors import UserError
from mk11.runs.environment import commit
from mk11.runs.ledger import is_beating
from mk11.training.loggers import report_to_agent

POLL = 0.5  # s


@contextmanager
def mistakes_told() -> Iterator[None]:
    """Print a user's mistake in one sentence and end with status 2."""
    try:
        yield
    except (UserError, InstantiationException) as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        print(f"error: {sentence(error)}", file=sys.stderr)
        raise SystemExit(2) from error


def run_once(
    job: Kind,
    *,
    run: Callable[[Kind], None],
    help_out: Callable[[Kind], object],
    show: Callable[[Kind], None],
) -> float | None:
    """Run a job unless its result is there; returns what it is worth, None in a helper process.

    Args:
        job: Checked.
        run: Does it; called by the one process that holds the folder.
        help_out: What a process does that Lightning started for a further device of that run.
        show: Prints the result that is there already.
    """
    if job.cfg.threads:
        torch.set_num_threads(job.cfg.threads)
    if _is_helper():
        if _begun(job):
            help_out(job)
        return None
    with job.folder.locked():
        if _finished(job):
            value = job.value()
            show(job)
            remember_search(job)
            report_to_agent(logger=job.config["logger"], folder=job.folder.path)
            return value
        run(job)
    return job.value()


def _is_helper() -> bool:
    """Whether Lightning started this process for a further device of a run that another process owns."""
    return getattr(rank_zero_only, "rank", 0) != 0


def _begun(job: BaseJob) -> bool:
    """Wait until the process that owns the run has begun it; False where there is nothing to do.

    Lightning starts a helper when the run has begun; torchrun starts all processes at once. What an earlier
    run has left there is the owner's to judge and to set aside.
    """
    while not is_finished(job):
        with suppress(UserError):  # just being moved
            if job.folder.status() == "running" and is_beating(job.folder):
                return True
        time.sleep(POLL)
    return False


def _finished(job: BaseJob) -> bool:
    """Whether the result is there already; says so, and makes room where a rerun is asked for."""
    folder, now = job.folder, commit()
    made_by = folder.read().get("commit")
    if not is_finished(job):
        if folder.status() == "finished" and not job.product.exists():
            print(f"{job.product} is gone: it is made again")
        if job.cfg.rerun is True or folder.status() == "finished":
            folder.set_aside()
        return False
    print(f"finished already: {folder.path} (rerun=true does it again)")
    for line in job.told_when_finished():
        print(f"  {line}")
    if made_by != now:
        print(f"  made by commit {made_by}, now at {now} (rerun=stale does it again)")
    return True
