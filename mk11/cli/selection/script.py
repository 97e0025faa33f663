"""`python select.py`: select regions of unlabelled fields for one fold, and leave a run folder with them."""

from pathlib import Path

from omegaconf import DictConfig

from mk11.cli.matrix.run import in_multirun, run_cell
from mk11.cli.matrix.supervise import hold_lifeline
from mk11.cli.script import mistakes_told, run_once
from mk11.cli.selection.job import SelectJob
from mk11.cli.selection.run import run
from mk11.cli.selection.summary import print_plan, print_summary
from mk11.cli.summary import print_marks


def select(cfg: DictConfig, *, script: Path) -> float | None:
    """Run what the config asks for; a user's mistake is printed in one sentence and ends with status 2.

    Args:
        cfg: The composed config.
        script: The file of `select.py`, which the cells of a matrix are started by.

    Returns:
        How many regions were selected; None for `dry`.
    """
    hold_lifeline()
    with mistakes_told():
        if in_multirun() and not cfg.dry:
            return run_cell(cfg, script=script, kind=SelectJob)
        job = SelectJob.of(cfg)
        job.check()
        print_marks(job.marks)
        if cfg.dry:
            print_plan(job)
            return None
        return run_once(job, run=run, help_out=lambda _: None, show=print_summary)
