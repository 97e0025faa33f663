"""A Lightning trainer that keeps all it writes in the run folder, and exact resume from its last epoch."""

import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, RichProgressBar
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from mk11.errors import NonFiniteLossError, UserError
from mk11.files import replacing, write_json
from mk11.loop.callbacks import read_history
from mk11.runs.folder import RunFolder

OF_A_CHECKPOINT = ("epoch", "loops", "optimizer_states", "pytorch-lightning_version", "state_dict")


def build_trainer(
    *,
    folder: RunFolder,
    epochs: int,
    accumulate: int,
    clip_norm: float | None,
    callbacks: list[Callback],
    loggers: list[Logger],
    accelerator: str,
    devices: int | str,
    num_nodes: int,
    strategy: str,
    precision: str,
    progress: str,
) -> pl.Trainer:
    """A trainer on what the keys of `trainer` ask for; `precision` is Lightning's name of it.

    Raises:
        UserError: This machine has not got it.
    """
    _quiet_lightning()
    bar: list[Callback] = [RichProgressBar()] if shows_bar(progress) else []
    return _trainer(
        accelerator=accelerator,
        devices=devices,
        num_nodes=num_nodes,
        strategy=strategy,
        precision=precision,
        max_epochs=epochs,
        accumulate_grad_batches=accumulate,
        gradient_clip_val=clip_norm,
        # "warn": some CUDA kernels have no deterministic twin; a CPU needs no such mode
        deterministic="warn" if accelerator != "cpu" and torch.cuda.is_available() else None,
        logger=loggers,
        callbacks=[*bar, *callbacks],
        default_root_dir=folder.path,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # our sampler shards, and must see the epoch
        enable_checkpointing=True,
        enable_model_summary=False,
        enable_progress_bar=bool(bar),
    )


def shows_bar(progress: str) -> bool:
    """Whether `trainer.progress` means a progress bar here."""
    return progress == "bar" or (progress == "auto" and sys.stdout.isatty())


def fit_on(
    trainer: pl.Trainer,
    task: pl.LightningModule,
    loaders: pl.LightningDataModule,
    *,
    folder: RunFolder,
    ids: list[str],
    remedy: Callable[[], str],
) -> None:
    """Train from the last complete epoch, or from the start.

    Args:
        trainer: From `build_trainer`.
        task: What to train.
        loaders: Its images.
        folder: Where `last.ckpt` is looked for and checkpoints go.
        ids: The image ids of the table, to name a batch whose loss is not finite.
        remedy: What may help against such a loss, in words.

    Raises:
        UserError: The loss became NaN or infinite (`nonfinite.json` then names the images), or `last.ckpt` is
            damaged.
    """
    last = folder.last if folder.last.exists() else None
    if last:
        check_readable(last)
        read_history(folder)
        print(f"resuming after the last complete epoch: {last}")
    try:
        trainer.fit(task, datamodule=loaders, ckpt_path=last)
    except NonFiniteLossError as error:
        path = folder.path / "nonfinite.json"
        found = {"loss": str(error.loss), "epoch": error.epoch, "step": error.step}
        write_json(path, {**found, "images": [ids[row] for row in error.rows]})
        raise UserError(f"{error}; its images are listed in {path}. {remedy()}") from error


def check_readable(checkpoint: Path) -> None:
    """UserError if a checkpoint is damaged, not one to go on from, or more than containers and tensors."""
    try:
        content = torch.load(checkpoint, map_location="meta", weights_only=True)
        missing = [key for key in OF_A_CHECKPOINT if key not in content]
        wrong = f"it lacks {', '.join(missing)}" if missing else None
    except Exception as error:  # a damaged file can raise almost anything
        wrong = f"{type(error).__name__}: {error}"
    if wrong is not None:
        raise UserError(
            f"{checkpoint} must be a whole checkpoint of this program, but is not ({wrong});"
            " rerun=true starts anew"
        )


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


def _quiet_lightning() -> None:
    """Drop advice that does not apply, and notes on what the run folder records anyway."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    messages = (
        ".*does not have many workers.*",
        ".*LeafSpec.*",
        ".*GPU available but not used.*",
        r".*recommended to use `self\.log\(.*sync_dist=True.*",  # of what one device measures for all
    )
    for message in messages:
        warnings.filterwarnings("ignore", message=message)
