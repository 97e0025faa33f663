"""What a supervised run does after each epoch: keep the last and the best checkpoint, say how it went."""

import math
import shutil
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.callbacks.checkpoint import Checkpoint

from mk11.errors import UserError
from mk11.files import replacing
from mk11.runs.folder import RunFolder


def monitor_mode(monitor: str) -> str:
    """`min` for the loss, `max` for every other metric."""
    return "min" if monitor == "loss" else "max"


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
