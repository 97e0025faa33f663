"""A run's mirror on Weights & Biases."""

import shlex
import sys
from collections.abc import Mapping
from typing import Any

from mk11.runs.folder import RunFolder
from mk11.training.loggers.binding import content_hash, remember_arrival
from mk11.training.loggers.connection import connect, pseudonyms_unless, run_options
from mk11.training.loggers.mirror import Mirror
from mk11.training.loggers.published import publish


class WandbMirror(Mirror):
    """A W&B run whose steps are epochs, so that what a resume repeats lands on the rows it repeats."""

    def __init__(self, folder: RunFolder, mode: str, *, real_names: bool) -> None:
        super().__init__("W&B")
        self.folder, self.mode, self.real_names = folder, mode, real_names
        self.published: str | None = None

    def start(
        self,
        config: Mapping[str, Any],
        record: Mapping[str, Any],
        *,
        init_timeout: float,
        finish_timeout: float,
        **place: Any,  # noqa: ANN401
    ) -> None:
        """Start the run, or say why not."""

        def start() -> None:
            options = run_options(self.folder, config, record, mode=self.mode, **place)
            self.target = connect(options, init_timeout=init_timeout, finish_timeout=finish_timeout)

        self.guarded("start", start)

    def send(self, metrics: Mapping[str, float], step: int | None) -> None:
        """Into the epoch's row, counted from 1 as in metrics.csv."""
        epoch = int(metrics["epoch"]) + 1
        self.target.log({**metrics, "epoch": epoch, "step": step}, step=epoch)

    def publish(self, folder: RunFolder) -> None:
        """Summary, confusion matrix, table per class and predictions."""

        def all_of_it() -> None:
            publish(self.target, folder, pseudonyms_unless(self.real_names))
            self.published = content_hash(folder)

        if self.working:
            self.guarded("publish", all_of_it)

    def finish(self, exit_code: int) -> None:
        """End the run with its exit code, in bounded time (`finish_timeout`), also after a failure."""
        if self.target is None:
            return
        whole = self.working
        self.guarded("finish", lambda: self.target.finish(exit_code=exit_code))
        if self.mode == "offline":
            print(sync_hint(self.folder))
        elif self.mode == "online" and not self.working:
            print(
                f"send it later: python -m mk11.relay {shlex.quote(str(self.folder.path))}", file=sys.stderr
            )
        elif self.mode == "online" and whole and self.published:
            self.guarded("note the arrival", self._arrived)

    def _arrived(self) -> None:
        run = self.target
        assert self.published is not None
        remember_arrival(
            self.folder, content=self.published, project=run.project, entity=run.entity, run=run.id
        )


def sync_hint(folder: RunFolder) -> str:
    """The command that uploads a folder's offline run, one part for each start."""
    parts = sorted(str(path) for path in (folder.path / "wandb").glob("offline-run-*"))
    return f"W&B run kept offline; to upload it: {shlex.join(['wandb', 'sync', *parts])}"


def wandb_run(
    *,
    folder: RunFolder,
    config: Mapping[str, Any],
    record: Mapping[str, Any],
    mode: str,
    project: str,
    entity: str | None,
    tags: list[str],
    real_names: bool,
    init_timeout: float,
    finish_timeout: float,
) -> Mirror:
    """A W&B run whose id lives in the run folder, so that a resume continues the same run.

    Started by an agent of a sweep it is the agent's run instead.
    """
    mirror = WandbMirror(folder, mode, real_names=real_names)
    mirror.start(
        config,
        record,
        project=project,
        entity=entity,
        tags=list(tags),
        init_timeout=init_timeout,
        finish_timeout=finish_timeout,
    )
    return mirror
