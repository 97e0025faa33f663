"""Pre-train one method on one pool with Lightning: its callbacks on the shared loop."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger

from mk11.data.pool_loader import PoolLoaders
from mk11.loop import trainer as loop
from mk11.loop.callbacks import History, ReseedSteps, StepTimes
from mk11.loop.progress import Progress
from mk11.runs.folder import RunFolder
from mk11.ssl.callbacks import LastAndGood, PeakMemory
from mk11.ssl.health.watch import Verdict, Watch
from mk11.ssl.remedy import remedy
from mk11.ssl.settings import Settings
from mk11.ssl.task import SelfSupervised


def build_trainer(
    *,
    folder: RunFolder,
    settings: Settings,
    watch: Watch | None,
    loggers: list[Logger],
    progress: str,
    **machine: Any,  # noqa: ANN401
) -> pl.Trainer:
    """A trainer for a method; `machine` is what `mk11.loop.trainer.build_trainer` takes beside."""
    return loop.build_trainer(
        folder=folder,
        epochs=settings.epochs,
        accumulate=settings.accumulate,
        clip_norm=settings.clip_norm,
        callbacks=_callbacks(folder, settings, watch, progress),
        loggers=loggers,
        progress=progress,
        **machine,
    )


def fit(trainer: pl.Trainer, task: SelfSupervised, loaders: PoolLoaders, *, folder: RunFolder) -> None:
    """Train from the last complete epoch, or from the start (`mk11.loop.trainer.fit_on`)."""
    ids = loaders.pool.table["id"].tolist()
    loop.fit_on(trainer, task, loaders, folder=folder, ids=ids, remedy=lambda: remedy(folder))


def _callbacks(folder: RunFolder, settings: Settings, watch: Watch | None, progress: str) -> list[Callback]:
    """In this order: what a check logs is in the epoch's row, and its state in the epoch's checkpoint.

    A check that stops the run does so when its row is written; that epoch leaves no checkpoint.
    """
    callbacks: list[Callback] = [ReseedSteps(settings.seed), StepTimes(), PeakMemory(), Progress(folder)]
    callbacks += [watch] if watch is not None else []
    callbacks.append(History(folder))
    callbacks += [Verdict(watch)] if watch is not None else []
    says_lines = not loop.shows_bar(progress) and progress != "none"
    return [*callbacks, LastAndGood(folder, watch, says_lines=says_lines)]
