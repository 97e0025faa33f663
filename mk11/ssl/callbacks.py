"""What a pre-training does after each epoch: keep the last and the last good checkpoint, say how it went."""

import os
import resource
import shutil

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.callbacks.checkpoint import Checkpoint
from torch import nn

from mk11.errors import UserError
from mk11.files import replacing
from mk11.runs.folder import RunFolder
from mk11.ssl.health.watch import Watch
from mk11.ssl.remedy import remedy


class LastAndGood(Checkpoint):
    """Keep `last.ckpt` after every epoch, and `good.ckpt` of the last epoch whose check looked well.

    Args:
        folder: Where they go.
        watch: The health check; None where there is none.
        says_lines: Print a line when an epoch's checkpoint is there.
    """

    def __init__(self, folder: RunFolder, watch: Watch | None, *, says_lines: bool) -> None:
        self.folder = folder
        self.watch = watch
        self.says_lines = says_lines

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Save; whole or not at all.

        Raises:
            UserError: The weights are not finite: what is there from the epoch before stays.
        """
        self._stop_if_not_finite(trainer, module)
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.folder.last)  # takes part in gathering; only rank 0 writes
            return
        with replacing(self.folder.last) as temporary:
            trainer.save_checkpoint(temporary)
        if self.watch is not None and self.watch.looks_well(trainer.current_epoch + 1):
            with replacing(self.folder.good) as copy:
                _link(self.folder.last, copy)
        if self.says_lines:
            print(epoch_line(trainer), flush=True)

    def _stop_if_not_finite(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Of the weights that would be written: all devices hear of them and end together."""
        wrong = not_finite(module) if trainer.is_global_zero else None
        wrong = trainer.strategy.broadcast(wrong)
        if wrong is not None:
            epoch = trainer.current_epoch + 1
            raise UserError(
                f"the weights ({wrong}) are not finite after epoch {epoch}. {remedy(self.folder)}"
            )


def not_finite(module: nn.Module) -> str | None:
    """Name of the first parameter or buffer that holds NaN or infinity; None where all are finite."""
    state = module.state_dict().items()
    return next((name for name, value in state if not torch.isfinite(value).all()), None)


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


def epoch_line(trainer: pl.Trainer) -> str:
    """Epoch, loss, what a check has found, and the share of time spent waiting for data, for logs."""
    values = {key: float(value) for key, value in trainer.callback_metrics.items()}
    told = [f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}", _loss(values), *_health(values)]
    return "  ".join([*told, f"data wait {values['data_wait']:.0%}"])


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
