"""Run the stage that a run begins from, unless its result is there."""

import os
import shlex
from pathlib import Path

from filelock import FileLock

from mk11.cli.base import BaseJob
from mk11.cli.matrix.cells import is_finished, script_command
from mk11.cli.matrix.supervise import Watch, supervise
from mk11.errors import UserError
from mk11.training.loggers import without_sweep

# Set for one of several processes of a training; a stage starts its own.
OF_A_PROCESS_GROUP = ("LOCAL_RANK", "NODE_RANK", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def check_stage(stage: BaseJob | None, *, key: str, what: str) -> None:
    """As the stage's own check, told as what it is to the command at hand."""
    try:
        if stage is not None:
            stage.check()
    except UserError as error:
        raise UserError(f"{key} must describe {what}, but in it {error}") from error


def ensure_stage(stage: BaseJob | None, *, name: str, script: Path) -> None:
    """Run the stage that a run needs, unless it is finished or there is none.

    Runs that need the same one wait for whichever came first.

    Args:
        stage: The stage; None where the run needs none.
        name: What stands for it in the config, such as ``stage:pretrain``.
        script: The file of the stage's script.

    Raises:
        UserError: It ended without a result.
    """
    if stage is None:
        return
    folder = stage.folder
    folder.path.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.path.with_name(f".{folder.path.name}.stage")):
        if is_finished(stage):
            print(f"{name} is {folder.path}", flush=True)
            return
        print(f"{name} comes first: {shlex.join(['python', script.name, *stage.overrides])}", flush=True)
        log = folder.path / "stage.log"
        status = supervise(
            Watch(
                command=script_command(script, stage.overrides),
                environment=_environment(),
                log=log,
                say=_say,
                silence=None,
            )
        )
    if status != 0 or not stage.product.exists():
        raise UserError(
            f"{name} must end with {stage.product.name}, but ended with status {status}: see {log}"
        )


def _environment() -> dict[str, str]:
    kept = without_sweep(os.environ)
    return {key: value for key, value in kept.items() if key not in OF_A_PROCESS_GROUP}


def _say(line: str) -> None:
    print(line, flush=True)
