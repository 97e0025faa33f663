"""`python -m mk11.search.submit COMMAND...`: a trial of a W&B agent that runs where there is no network.

The agent runs on a machine with a network and starts this. COMMAND hands the work to another machine and
waits for it (`srun ... python train.py fold=all ...`). The result is read from the file system that both
share, and reported to the agent's run from here.
"""

import os
import sys
from pathlib import Path

from mk11.errors import UserError
from mk11.runs.ledger import Run, read_run
from mk11.search.objective import read_result, result_path
from mk11.search.process import run_command
from mk11.training.loggers import current_trial, log_cross_validation, report_to_agent, without_sweep


def main(command: list[str] | None = None) -> int:
    """The command's status; 2 if it cannot be run as a trial or leaves no result."""
    command = sys.argv[1:] if command is None else command
    try:
        return _submit(command)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _submit(command: list[str]) -> int:
    trial = current_trial()
    if trial is None or not command:
        raise UserError("mk11.search.submit must be started by a W&B agent, with a command behind it")
    log = Path(os.environ.get("WANDB_DIR", ".")) / "wandb" / f"trial-{trial.run}.log"
    ended = run_command(command, log=log, environment=without_sweep(os.environ))
    if ended.status:
        print(f"the command failed: {ended.last_words}; see {log}", file=sys.stderr)
        return ended.status
    _report(ended.last_line)
    print(ended.last_line)
    return 0


def _report(last_line: str) -> None:
    content, path = read_result(last_line), result_path(last_line)
    if "mean" not in content:
        report_to_agent(logger=_logger(read_run(path)), folder=path)
        return
    folders = [Path(folder) for folder in content["runs"]]
    log_cross_validation(
        logger=_logger(read_run(folders[0])),
        folders=folders,
        values={int(fold): value for fold, value in content["values"].items()},
        monitor=content["monitor"],
        place=path.with_suffix(""),
    )


def _logger(run: Run) -> dict[str, dict[str, object]]:
    """The loggers that the run was configured with.

    Raises:
        UserError: W&B is not among them, so that there is no project to report to.
    """
    logger = run.config["logger"]
    if "wandb" not in logger:
        raise UserError("the command must have logger=wandb (and logger.wandb.mode=offline), but has not")
    return logger


if __name__ == "__main__":
    raise SystemExit(main())
