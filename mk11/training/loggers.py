"""Mirrors of a run: TensorBoard and Weights & Biases. One that fails must not fail the run."""

import json
import secrets
import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from mk11.files import read_json, write_json
from mk11.runs.folder import RunFolder


class Mirror(Logger):
    """Mirrors a run's metrics until mirroring fails; then it says so once and stays silent."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = title
        self.target: Any = None  # what metrics go to; None before a start that worked
        self.silent = False

    @property
    def name(self) -> str:
        """Lightning's name for this logger."""
        return self.title

    @property
    def version(self) -> str | None:
        """Nothing: the run folder is the version."""
        return None

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Mirror one epoch's metrics; `step` is the optimiser step."""
        if self.target is not None and not self.silent:
            self.guarded("log", lambda: self.send(metrics, step))

    def log_hyperparams(self, params: object, *args: object, **kwargs: object) -> None:
        """Nothing: the config lies in the run folder."""

    def summarise(self, metrics: Mapping[str, Any]) -> None:
        """Mirror the final metrics, where there is a place for them."""

    @abstractmethod
    def send(self, metrics: Mapping[str, float], step: int | None) -> None:
        """Hand metrics to the target."""

    @abstractmethod
    def finish(self, exit_code: int) -> None:
        """Close the target."""

    @rank_zero_only
    def guarded(self, action: str, call: Callable[[], object]) -> None:
        """Run `call`; whatever it throws, the run matters more than its mirror."""
        try:
            call()
        except Exception as error:
            print(
                f"warning: {self.title} failed to {action}; the run goes on without it: {error}",
                file=sys.stderr,
            )
            self.silent = True


class TensorBoardMirror(Mirror):
    """TensorBoard event files in a folder (`tensorboard --logdir runs`)."""

    def __init__(self, path: Path) -> None:
        super().__init__("TensorBoard")
        self.guarded("start", lambda: self._start(path))

    def _start(self, path: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.target = SummaryWriter(str(path))

    def send(self, metrics: Mapping[str, float], step: int | None) -> None:
        """One scalar a metric."""
        for name, value in metrics.items():
            self.target.add_scalar(name, value, step)

    def finish(self, exit_code: int) -> None:
        """Write what is still in memory."""
        if self.target is not None:
            self.guarded("finish", self.target.close)


class WandbMirror(Mirror):
    """A W&B run."""

    def __init__(self, options: dict[str, Any], *, init_timeout: float, finish_timeout: float) -> None:
        super().__init__("W&B")
        self.guarded("start", lambda: self._start(options, init_timeout, finish_timeout))

    def _start(self, options: dict[str, Any], init_timeout: float, finish_timeout: float) -> None:
        import wandb

        settings = wandb.Settings(
            init_timeout=init_timeout, finish_timeout=finish_timeout, console="off", silent=True
        )
        if options["mode"] == "online" and not wandb.login(timeout=1, relogin=False, verify=False):
            raise RuntimeError("no API key: run `wandb login`, or set logger.wandb.mode=offline")
        self.target = wandb.init(settings=settings, **options)

    def send(self, metrics: Mapping[str, float], step: int | None) -> None:
        """One history row."""
        self.target.log({**metrics, "step": step})

    def summarise(self, metrics: Mapping[str, Any]) -> None:
        """Put the final metrics into the run's summary."""
        if self.target is not None and not self.silent:
            self.guarded("summarise", lambda: self.target.summary.update(json.loads(json.dumps(metrics))))

    def finish(self, exit_code: int) -> None:
        """End the run with its exit code, in bounded time (`finish_timeout`), also after a failure."""
        if self.target is not None:
            self.guarded("finish", lambda: self.target.finish(exit_code=exit_code))


def tensorboard(*, folder: RunFolder, config: Mapping[str, Any], record: Mapping[str, Any]) -> Mirror:
    """TensorBoard event files in the run folder."""
    return TensorBoardMirror(folder.path / "tensorboard")


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
) -> Mirror:
    """A W&B run whose id lives in the run folder, so that a resume continues the same run."""
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
