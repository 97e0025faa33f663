"""Pieces of a training step: a loss that must be finite, a learning rate that changes with every step."""

import math
from functools import partial

import pytorch_lightning as pl
from jaxtyping import Float, Int
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from mk11.errors import NonFiniteLossError
from mk11.optim.schedule import warmup_cosine


def stop_if_not_finite(
    loss: Float[Tensor, ""], *, rows: Int[Tensor, " batch"], module: pl.LightningModule, step: int
) -> None:
    """NonFiniteLossError for a loss of NaN or infinity, with the rows of the images of the batch."""
    value = float(loss.detach())
    if not math.isfinite(value):
        epoch = module.current_epoch + 1
        raise NonFiniteLossError(loss=value, epoch=epoch, step=step + 1, rows=rows.tolist())


def scheduled(
    optimiser: Optimizer, *, module: pl.LightningModule, epochs: int, warmup_epochs: float, min_ratio: float
) -> OptimizerLRScheduler:
    """Optimiser and learning rate for Lightning: warm-up and cosine decay, a step at a time."""
    total = total_steps(module, epochs)
    curve = partial(
        warmup_cosine,
        warmup_steps=round(total * warmup_epochs / epochs),
        total_steps=total,
        min_ratio=min_ratio,
    )
    return {
        "optimizer": optimiser,
        "lr_scheduler": {"scheduler": LambdaLR(optimiser, curve), "interval": "step"},
    }


def total_steps(module: pl.LightningModule, epochs: int) -> int:
    """Optimiser steps of a whole run.

    Not `trainer.estimated_stepping_batches`: it starts the loader before a resume has set the epoch.
    """
    return epochs * module.trainer.datamodule.steps_per_epoch()  # type: ignore[attr-defined]
