"""Mirrors of a run: TensorBoard and Weights & Biases. One that fails must not fail the run."""

import json
import secrets
import sys
from collections.abc import Callable, Mapping
from typing import Any

from pytorch_lightning.loggers import Logger, TensorBoardLogger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from mk11.errors import UserError
from mk11.files import read_json, write_json
from mk11.runs.folder import RunFolder

MODES = ("online", "offline", "disabled")


def tensorboard(*, folder: RunFolder, config: Mapping[str, Any], record: Mapping[str, Any]) -> Logger:
    """TensorBoard event files in the run folder (`tensorboard --logdir runs`)."""
    return TensorBoardLogger(folder.path, name="tensorboard", version="")


def wandb_run(
    *,
    folder: RunFolder,
    config: Mapping[str, Any],
    record: Mapping[str, Any],
    mode: str,
    project: str,
    entity: str | None,
    tags: list[str],
    init_timeout: float,
    finish_timeout: float,
) -> Logger:
    """A W&B run whose id lives in the run folder, so that a resume continues the same run."""
    if mode not in MODES:
        raise UserError(f"logger.wandb.mode must be one of {', '.join(MODES)}, but is {mode}")
    options = {
        "mode": mode,
        "project": project,
        "entity": entity,
        "tags": list(tags),
        "dir": str(folder.path),
        "id": _run_id(folder),
        "resume": "allow" if mode == "online" else None,  # offline, W&B ignores it and says so
        "name": f"{record['model']}-fold{record['fold']}-seed{record['seed']}",
        "group": f"{record['experiment']}/{record['model']}",
        "config": {**config, "identity": record["identity"]},
        "reinit": "finish_previous",
    }
    return WandbMirror(options, init_timeout=init_timeout, finish_timeout=finish_timeout)


def _run_id(folder: RunFolder) -> str:
    """The id kept in `wandb.json`; drawn from the system's randomness, which no seed of ours touches."""
    path = folder.path / "wandb.json"
    if not path.exists():
        write_json(path, {"id": secrets.token_hex(4)})
    return read_json(path)["id"]


class WandbMirror(Logger):
    """Mirrors metrics to W&B until W&B fails; then it warns once and stays silent."""

    def __init__(self, options: dict[str, Any], *, init_timeout: float, finish_timeout: float) -> None:
        super().__init__()
        self.run: Any = None
        self._guarded("start", lambda: self._start(options, init_timeout, finish_timeout))

    @property
    def name(self) -> str:
        """Lightning's name for this logger."""
        return "wandb"

    @property
    def version(self) -> str | None:
        """The W&B run's id, None when W&B could not start."""
        return self.run.id if self.run else None

    @rank_zero_only
    def _start(self, options: dict[str, Any], init_timeout: float, finish_timeout: float) -> None:
        import wandb

        settings = wandb.Settings(
            init_timeout=init_timeout, finish_timeout=finish_timeout, console="off", silent=True
        )
        if options["mode"] == "online" and not wandb.login(timeout=1, relogin=False, verify=False):
            raise RuntimeError("no API key: run `wandb login`, or set logger.wandb.mode=offline")
        self.run = wandb.init(settings=settings, **options)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Mirror one epoch's metrics; `step` is the optimiser step."""
        if self.run:
            self._guarded("log", lambda: self.run.log({**metrics, "step": step}))

    def log_hyperparams(self, params: object, *args: object, **kwargs: object) -> None:
        """Nothing: the config went to W&B at the start."""

    def summarise(self, metrics: Mapping[str, Any]) -> None:
        """Put the final metrics into the run's summary."""
        if self.run:
            self._guarded("summarise", lambda: self.run.summary.update(json.loads(json.dumps(metrics))))

    def finish(self, exit_code: int) -> None:
        """End the W&B run with the exit code, in bounded time (`finish_timeout`)."""
        if self.run:
            self._guarded("finish", lambda: self.run.finish(exit_code=exit_code))
            self.run = None

    def _guarded(self, action: str, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:  # whatever W&B throws: the run matters more than its mirror
            print(f"warning: W&B failed to {action}; the run goes on without it: {error}", file=sys.stderr)
            self.run = None
