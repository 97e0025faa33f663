"""Train one network on one fold with Lightning: its callbacks on the shared loop."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, EMAWeightAveraging
from pytorch_lightning.loggers import Logger

from mk11.data.loader import CellLoaders
from mk11.loop import trainer as loop
from mk11.loop.callbacks import History, ReseedSteps, StepTimes
from mk11.loop.progress import Progress
from mk11.runs.folder import RunFolder
from mk11.training.callbacks import BestAndLast, EpochLines
from mk11.training.settings import Settings
from mk11.training.task import SubtypeClassifier


def build_trainer(
    *,
    folder: RunFolder,
    settings: Settings,
    loggers: list[Logger],
    progress: str,
    **machine: Any,  # noqa: ANN401
) -> pl.Trainer:
    """A trainer for a classifier; `machine` is what `mk11.loop.trainer.build_trainer` takes beside."""
    return loop.build_trainer(
        folder=folder,
        epochs=settings.epochs,
        accumulate=settings.accumulate,
        clip_norm=settings.clip_norm,
        callbacks=_callbacks(folder, settings, progress),
        loggers=loggers,
        progress=progress,
        **machine,
    )


def fit(
    trainer: pl.Trainer, task: SubtypeClassifier, loaders: CellLoaders, *, folder: RunFolder, ids: list[str]
) -> None:
    """Train from the last complete epoch, or from the start (`mk11.loop.trainer.fit_on`)."""
    loop.fit_on(
        trainer, task, loaders, folder=folder, ids=ids, remedy=lambda: "Lower optim.base_lr or set clip_norm"
    )


def _callbacks(folder: RunFolder, settings: Settings, progress: str) -> list[Callback]:
    callbacks: list[Callback] = [ReseedSteps(settings.seed), StepTimes(), Progress(folder), History(folder)]
    if settings.ema_decay:
        callbacks.append(EMAWeightAveraging(decay=settings.ema_decay))
    if not loop.shows_bar(progress) and progress != "none":
        callbacks.append(EpochLines(settings.monitor))
    return [*callbacks, BestAndLast(folder, monitor=settings.monitor)]
