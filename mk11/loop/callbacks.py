"""What a run does around its steps, whatever it learns: reseed, time, keep the history."""

import random
import time

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from mk11.errors import UserError
from mk11.files import replacing
from mk11.runs.folder import RunFolder


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
        self._images += len(batch["index"]) * trainer.world_size
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
        metrics = trainer.callback_metrics  # asked for on every device: they are gathered from all
        if trainer.is_global_zero:
            logged = {key: float(value) for key, value in metrics.items()}
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
        return read_history(self.folder)

    def _write(self, table: pd.DataFrame) -> None:
        if len(table):
            with replacing(self.folder.history) as temporary:
                table.to_csv(temporary, index=False)
        else:
            self.folder.history.unlink(missing_ok=True)


def read_history(folder: RunFolder) -> pd.DataFrame:
    """The rows of `metrics.csv`; empty before the first epoch.

    Raises:
        UserError: It is not what `History` has written.
    """
    if not folder.history.exists():
        return pd.DataFrame()
    try:
        table = pd.read_csv(folder.history)
        table["epoch"].astype(int)
    except (ValueError, KeyError, OSError) as error:
        raise UserError(
            f"{folder.history} must be a table of epochs as this program wrote it, but is damaged ({error});"
            " rerun=true starts anew"
        ) from error
    return table
