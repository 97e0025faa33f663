"""What a pre-training does after each epoch: keep the last and the last good checkpoint, say how it went."""

import os
import resource
import shutil

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.callbacks.checkpoint import Checkpoint

from mk11.files import replacing
from mk11.runs.folder import RunFolder
from mk11.ssl.health.watch import Watch


class LastAndGood(Checkpoint):
    """Keep `last.ckpt` after every epoch, and `good.ckpt` of the last epoch whose check looked well."""

    def __init__(self, folder: RunFolder, watch: Watch | None) -> None:
        self.folder = folder
        self.watch = watch

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Save; whole or not at all."""
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.folder.last)  # takes part in gathering; only rank 0 writes
            return
        with replacing(self.folder.last) as temporary:
            trainer.save_checkpoint(temporary)
        if self.watch is not None and self.watch.looks_well(trainer.current_epoch + 1):
            with replacing(self.folder.good) as copy:
                _link(self.folder.last, copy)


class PeakMemory(Callback):
    """Log `peak_memory_gib`: of the GPU in this epoch, or of the process since it started."""

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Begin anew, on a GPU."""
        if module.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(module.device)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Log it."""
        if module.device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(module.device)
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        module.log("peak_memory_gib", peak / 2**30, on_step=False, on_epoch=True, rank_zero_only=True)


class EpochLines(Callback):
    """One line an epoch, for logs and pipes where a progress bar would be noise."""

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Print epoch, loss, what a check has found, and the share of time spent waiting for data."""
        if trainer.is_global_zero:
            values = {key: float(value) for key, value in trainer.callback_metrics.items()}
            told = [
                f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}",
                _loss(values),
                *_health(values),
            ]
            print("  ".join([*told, f"data wait {values['data_wait']:.0%}"]), flush=True)


def _loss(values: dict[str, float]) -> str:
    chance = f" (chance {values['pretrain/chance']:.3f})" if "pretrain/chance" in values else ""
    return f"loss {values['pretrain/loss']:.4f}{chance}"


def _health(values: dict[str, float]) -> list[str]:
    if "health/rankme" not in values:
        return []
    return [
        f"val macro-F1 of probe {values['val/probe_f1_macro']:.3f}, of k-NN {values['val/knn_f1_macro']:.3f}",
        f"feature std {values['health/feature_std']:.3f}, rank {values['health/rankme']:.1f}",
    ]


def _link(source: os.PathLike[str], target: os.PathLike[str]) -> None:
    """A second name for the same bytes, or a copy where the file system knows no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
