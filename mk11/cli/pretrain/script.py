"""`python pretrain.py`: pre-train an encoder for one fold, and leave a run folder with it."""

from pathlib import Path

from omegaconf import DictConfig

from mk11.cli.matrix.run import in_multirun, run_cell
from mk11.cli.matrix.supervise import hold_lifeline
from mk11.cli.pretrain.job import PretrainJob
from mk11.cli.pretrain.plan import print_plan
from mk11.cli.pretrain.run import fit_job, run
from mk11.cli.pretrain.summary import print_summary
from mk11.cli.script import mistakes_told, run_once
from mk11.cli.stages.ensure import ensure_stage
from mk11.cli.stages.selecting import STAGED
from mk11.cli.summary import print_marks


def pretrain(cfg: DictConfig, *, script: Path) -> float | None:
    """Run what the config asks for; a user's mistake is printed in one sentence and ends with status 2.

    Args:
        cfg: The composed config.
        script: The file of `pretrain.py`, which the cells of a matrix are started by.

    Returns:
        The monitored measure; None for `dry`.
    """
    hold_lifeline()
    with mistakes_told():
        if in_multirun() and not cfg.dry:
            return run_cell(cfg, script=script, kind=PretrainJob)
        job = PretrainJob.of(cfg)
        job.check()
        if cfg.dry:
            _plan(job)
            return None
        ensure_stage(job.selection, name=STAGED, script=script.with_name("select.py"))
        print_marks(job.marks)
        return run_once(
            job,
            run=run,
            help_out=lambda job: fit_job(job, []),
            show=lambda job: print_summary(job, brief=False),
        )


def _plan(job: PretrainJob) -> None:
    """Print what would be done; there is no pool to plan with before a selection is there."""
    if job.selection is not None and not job.selection.manifest.exists():
        print(f"{STAGED} comes first: {job.selection.folder.path}\nrun folder: {job.folder.path}")
        return
    print_marks(job.marks)
    print_plan(job)
