"""How far a run is, in a small file that `mk11.status` and the supervisor of a matrix read."""

import time

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from mk11.files import write_json
from mk11.runs.folder import RunFolder

EVERY = 2.0  # s


class Progress(Callback):
    """Writes `progress.json` every few seconds: a run whose file no longer changes hangs."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._written, self._started = 0.0, 0.0
        self._seconds: float | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the epoch's clock."""
        self._started = time.time()
        self._write(trainer, 0)

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: object, batch: object, step: int
    ) -> None:
        """Note the step."""
        if time.time() - self._written > EVERY:
            self._write(trainer, step + 1)

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: object,
        batch: object,
        step: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Validation is progress as well."""
        if time.time() - self._written > EVERY:
            self._write(trainer, int(trainer.num_training_batches))

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Learn how long an epoch takes, validation included."""
        self._seconds = time.time() - self._started

    def _write(self, trainer: pl.Trainer, step: int) -> None:
        if trainer.is_global_zero:
            self._written = time.time()
            write_progress(
                self.folder,
                phase="training",
                epoch=trainer.current_epoch + 1,
                epochs=int(trainer.max_epochs or 0),
                step=step,
                steps=int(trainer.num_training_batches),
                seconds_per_epoch=self._seconds,
            )


def write_progress(
    folder: RunFolder,
    *,
    phase: str,
    epoch: int,
    epochs: int,
    step: int,
    steps: int,
    seconds_per_epoch: float | None,
) -> None:
    """Write `progress.json`; epochs count from 1, `phase` is training or evaluating."""
    content = {
        "phase": phase,
        "epoch": epoch,
        "epochs": epochs,
        "step": step,
        "steps": steps,
        "seconds_per_epoch": seconds_per_epoch,
        "updated": time.time(),
    }
    write_json(folder.progress, content)
