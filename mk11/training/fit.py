"""Train one network on one fold with Lightning: the trainer, its callbacks, exact resume."""

import logging
import pickle
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EMAWeightAveraging, RichProgressBar
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from mk11.data.loader import CellLoaders
from mk11.errors import UserError
from mk11.files import replacing, write_json
from mk11.runs.folder import RunFolder
from mk11.training.callbacks import BestAndLast, EpochLines, History, ReseedSteps, StepTimes
from mk11.training.progress import Progress
from mk11.training.settings import Settings
from mk11.training.task import NonFiniteLossError, SubtypeClassifier


def build_trainer(
    *,
    folder: RunFolder,
    settings: Settings,
    loggers: list[Logger],
    accelerator: str,
    devices: int | str,
    num_nodes: int,
    strategy: str,
    precision: str,
    progress: str,
) -> pl.Trainer:
    """A Lightning trainer that keeps all it writes in the run folder; `precision` is Lightning's name."""
    _quiet_lightning()
    return _trainer(
        accelerator=accelerator,
        devices=devices,
        num_nodes=num_nodes,
        strategy=strategy,
        precision=precision,
        max_epochs=settings.epochs,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.clip_norm,
        # "warn": some CUDA kernels have no deterministic twin; a CPU needs no such mode
        deterministic="warn" if accelerator != "cpu" and torch.cuda.is_available() else None,
        logger=loggers,
        callbacks=_callbacks(folder, settings, progress),
        default_root_dir=folder.path,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # our sampler shards, and must see the epoch
        enable_checkpointing=True,
        enable_model_summary=False,
        enable_progress_bar=_shows_bar(progress),
    )


def fit(
    trainer: pl.Trainer, task: SubtypeClassifier, loaders: CellLoaders, *, folder: RunFolder, ids: list[str]
) -> None:
    """Train from the last complete epoch, or from the start.

    Args:
        trainer: From `build_trainer`.
        task: The network to train.
        loaders: Its images.
        folder: Where `last.ckpt` is looked for and checkpoints go.
        ids: The image ids of the fold's table, to name a batch whose loss is not finite.

    Raises:
        UserError: The loss became NaN or infinite (`nonfinite.json` then names the images), or `last.ckpt` is
            damaged.
    """
    last = folder.last if folder.last.exists() else None
    if last:
        check_readable(last)
        print(f"resuming after the last complete epoch: {last}")
    try:
        trainer.fit(task, datamodule=loaders, ckpt_path=last)
    except NonFiniteLossError as error:
        path = folder.path / "nonfinite.json"
        found = {"loss": str(error.loss), "epoch": error.epoch, "step": error.step}
        write_json(path, {**found, "images": [ids[row] for row in error.rows]})
        raise UserError(
            f"{error}; its images are listed in {path}. Lower optim.base_lr or set clip_norm"
        ) from error


def check_readable(checkpoint: Path) -> None:
    """UserError if a checkpoint is damaged or holds anything but plain containers and tensors."""
    try:
        torch.load(checkpoint, map_location="meta", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{checkpoint} must be a whole checkpoint of this program, but is not ({error});"
            " remove it to start anew"
        ) from error


def slim_checkpoint(path: Path) -> None:
    """Keep of a finished run's checkpoint the weights, and what it says of itself."""
    full = torch.load(path, map_location="cpu", weights_only=True)
    keys = ("epoch", "global_step", "pytorch-lightning_version", "state_dict", "mk11")
    with replacing(path) as temporary:
        torch.save({key: full[key] for key in keys}, temporary)


def _trainer(**arguments: Any) -> pl.Trainer:  # noqa: ANN401
    """A trainer; what Lightning refuses is about the machine and the `trainer` keys."""
    try:
        return pl.Trainer(**arguments)
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise UserError(f"the keys of `trainer` must suit this machine, but: {error}") from error


def _callbacks(folder: RunFolder, settings: Settings, progress: str) -> list[Callback]:
    callbacks: list[Callback] = [ReseedSteps(settings.seed), StepTimes(), Progress(folder), History(folder)]
    if settings.ema_decay:
        callbacks.append(EMAWeightAveraging(decay=settings.ema_decay))
    if _shows_bar(progress):
        callbacks.append(RichProgressBar())
    elif progress != "none":
        callbacks.append(EpochLines(settings.monitor))
    return [*callbacks, BestAndLast(folder, monitor=settings.monitor)]


def _shows_bar(progress: str) -> bool:
    return progress == "bar" or (progress == "auto" and sys.stdout.isatty())


def _quiet_lightning() -> None:
    """Drop advice that does not apply, and notes on what the run folder records anyway."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in (".*does not have many workers.*", ".*LeafSpec.*", ".*GPU available but not used.*"):
        warnings.filterwarnings("ignore", message=message)
