"""`python train.py`: train one fold, evaluate it, and leave a run folder with all that was found."""

from pathlib import Path

from omegaconf import DictConfig

from mk11.cli.job import Job
from mk11.cli.matrix.run import cross_validate, in_multirun, run_cell
from mk11.cli.matrix.supervise import hold_lifeline
from mk11.cli.plan import print_plan
from mk11.cli.run import fit_job, run
from mk11.cli.script import mistakes_told, run_once
from mk11.cli.stages.ensure import ensure_stage
from mk11.cli.stages.pretraining import STAGED
from mk11.cli.summary import print_marks, print_summary


def train(cfg: DictConfig, *, script: Path) -> float | None:
    """Run what the config asks for; a user's mistake is printed in one sentence and ends with status 2.

    Args:
        cfg: The composed config.
        script: The file of `train.py`, which the cells of a matrix are started by.

    Returns:
        The best validation value of the monitored metric, their mean for `fold=all`; None for `dry`.
    """
    hold_lifeline()
    with mistakes_told():
        if cfg.dry:
            _plan(cfg)
            return None
        if in_multirun():
            return run_cell(cfg, script=script, kind=Job)
        return cross_validate(cfg, script=script) if cfg.fold == "all" else _train(cfg, script=script)


def _train(cfg: DictConfig, *, script: Path) -> float | None:
    job = Job.of(cfg)
    job.check()
    pretrain = script.with_name("pretrain.py")
    ensure_stage(job.pretraining, name=STAGED, script=pretrain)
    print_marks(job.marks)
    return run_once(
        job,
        run=run,
        help_out=lambda job: fit_job(job, []),
        show=lambda job: print_summary(job.folder, brief=False),
    )


def _plan(cfg: DictConfig) -> None:
    """Print what would be trained; the folds of `fold=all` differ little, so its first stands for them."""
    job = Job.of(cfg)
    job.check()
    if cfg.fold == "all":
        cfg.fold = job.data.fold_numbers[0]
    print_marks(job.marks)
    if job.pretraining is not None:
        state = "is there" if job.pretraining.folder.encoder.exists() else "comes first"
        print(f"{job.cfg.model.weights} {state}: {job.pretraining.folder.path}")
    print_plan(job)
