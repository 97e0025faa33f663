"""What a run does around its steps: reseed, keep the history, keep the last and the best checkpoint."""

import math
import random
import shutil
import time
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.callbacks.checkpoint import Checkpoint
from torch import Tensor

from mk11.errors import UserError
from mk11.files import replacing
from mk11.runs.folder import RunFolder


def monitor_mode(monitor: str) -> str:
    """`min` for the loss, `max` for every other metric."""
    return "min" if monitor == "loss" else "max"


class ReseedSteps(Callback):
    """Seed all generators from (seed, epoch, step, rank), so that a resumed epoch repeats itself.

    Lightning restores no random state; drop path and mixup draw from these generators in the main process.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: object, step: int
    ) -> None:
        """Reseed before every forward pass."""
        entropy = [self.seed, trainer.current_epoch, step, trainer.global_rank]
        numpy_seed, torch_seed, python_seed = np.random.SeedSequence(entropy).generate_state(3).tolist()
        np.random.seed(numpy_seed)
        torch.manual_seed(torch_seed)
        random.seed(python_seed)


class StepTimes(Callback):
    """Log `data_wait`, the share of an epoch's steps spent waiting for data, and `images_per_second`."""

    def __init__(self) -> None:
        self._waited, self._images, self._mark, self._start = 0.0, 0, 0.0, 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the epoch's clock."""
        self._waited, self._images = 0.0, 0
        self._start = self._mark = time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: object, step: int
    ) -> None:
        """The time since the last step ended went into waiting for this batch."""
        self._waited += time.perf_counter() - self._mark

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: object,
        batch: dict[str, Tensor],
        step: int,
    ) -> None:
        """Mark the end of the step and, with the last one, log the epoch's shares."""
        self._mark = time.perf_counter()
        self._images += len(batch["label"]) * trainer.world_size
        if trainer.is_last_batch:
            seconds = self._mark - self._start
            rates = {"data_wait": self._waited / seconds, "images_per_second": self._images / seconds}
            module.log_dict(rates, on_step=False, on_epoch=True, batch_size=1, sync_dist=True)


class History(Callback):
    """Write one row an epoch into `metrics.csv`, counting from 1; on a resume, drop what came too late."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._start = 0.0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Keep complete epochs only: a killed run may have written a row beyond its checkpoint."""
        if trainer.is_global_zero:
            kept = self.read()
            self._write(kept[kept["epoch"] <= trainer.current_epoch] if len(kept) else kept)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the epoch's clock."""
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Append the epoch's row: every logged metric, the head's learning rate, seconds with validation."""
        if trainer.is_global_zero:
            logged = {key: float(value) for key, value in trainer.callback_metrics.items()}
            rate = max(group["lr"] for group in trainer.optimizers[0].param_groups)
            row = {
                "epoch": trainer.current_epoch + 1,
                **logged,
                "lr": rate,
                "seconds": time.perf_counter() - self._start,
            }
            self._write(pd.concat([self.read(), pd.DataFrame([row])], ignore_index=True))

    def read(self) -> pd.DataFrame:
        """The rows so far; empty before the first epoch."""
        return pd.read_csv(self.folder.history) if self.folder.history.exists() else pd.DataFrame()

    def _write(self, table: pd.DataFrame) -> None:
        if len(table):
            with replacing(self.folder.history) as temporary:
                table.to_csv(temporary, index=False)
        else:
            self.folder.history.unlink(missing_ok=True)


class BestAndLast(Checkpoint):
    """Keep `last.ckpt` after every epoch and `best.ckpt` after the best, each whole or absent.

    Lightning's ModelCheckpoint stores absolute paths and forgets the best score when the folder was moved.
    """

    def __init__(self, folder: RunFolder, *, monitor: str) -> None:
        self.folder = folder
        self.monitor = monitor
        self.key = f"val/{monitor}"
        self.sign = 1.0 if monitor_mode(monitor) == "max" else -1.0
        self.best_score: float | None = None
        self.best_epoch: int | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Save; the best is written before the last, so that a kill between them only repeats the epoch."""
        if not math.isfinite(loss := float(trainer.callback_metrics["val/loss"])):
            raise UserError(f"the validation loss is {loss}: lower optim.base_lr or set clip_norm")
        score = float(trainer.callback_metrics[self.key])
        if math.isnan(score):
            raise UserError(f"monitor={self.monitor} is undefined on the validation images; choose another")
        best = self._is_best(score, trainer.current_epoch + 1)
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.folder.last)  # takes part in gathering; only rank 0 writes
            return
        with replacing(self.folder.last) as temporary:
            trainer.save_checkpoint(temporary)
            if best:
                with replacing(self.folder.best) as copy:
                    shutil.copyfile(temporary, copy)

    def _is_best(self, score: float, epoch: int) -> bool:
        better = self.best_score is None or self.sign * score > self.sign * self.best_score
        if better:
            self.best_score, self.best_epoch = score, epoch
        return better

    def state_dict(self) -> dict[str, Any]:
        """Best score and epoch so far."""
        return {"best_score": self.best_score, "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore them on a resume."""
        self.best_score, self.best_epoch = state_dict["best_score"], state_dict["best_epoch"]


class EpochLines(Callback):
    """One line an epoch, for logs and pipes where a progress bar would be noise."""

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Print epoch, losses, the monitored metric and the share of time spent waiting for data."""
        values = trainer.callback_metrics
        if trainer.is_global_zero:
            print(
                f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
                f"  train loss {values['train/loss']:.3f}  val loss {values['val/loss']:.3f}"
                f"  val {self.monitor} {values[f'val/{self.monitor}']:.4f}"
                f"  data wait {values['data_wait']:.0%}",
                flush=True,
            )
