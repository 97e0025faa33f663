"""Pre-training as Lightning runs it: one self-supervised method, its optimiser and schedule."""

from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from mk11.loop.step import scheduled, stop_if_not_finite, total_steps
from mk11.models.about import heads
from mk11.ssl.method import Method
from mk11.ssl.optimiser import optimiser_of
from mk11.ssl.settings import Settings


class SelfSupervised(pl.LightningModule):
    """Pre-train a method's encoder; batches are those of `mk11.data.pool_loader`.

    Args:
        method: Encoder and the task around it.
        settings: Of optimiser and schedule.
        channels_last: Memory layout of images and convolutions.
        provenance: What checkpoints say of themselves.
    """

    def __init__(
        self, *, method: Method, settings: Settings, channels_last: bool, provenance: dict[str, Any]
    ) -> None:
        super().__init__()
        self.method = method
        self.settings = settings
        self.provenance = provenance
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.method.to(memory_format=self.memory_format)
        self.total_steps = 0

    def on_fit_start(self) -> None:
        """Learn how long the training is."""
        self.total_steps = total_steps(self, self.settings.epochs)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Float[Tensor, ""]:
        """The method's loss on a batch, under noise that `ReseedSteps` has made the step's own."""
        image = self._laid_out(batch["image"])
        self.method.first_of_step = batch_idx % self.settings.accumulate == 0
        noise = self.method.draw(len(image), image.device)
        outcome = self.method(image, noise=noise, progress=self.trainer.global_step / self.total_steps)
        stop_if_not_finite(outcome.loss, rows=batch["index"], module=self, step=batch_idx)
        logged = {
            f"pretrain/{name}": value for name, value in {"loss": outcome.loss, **outcome.logged}.items()
        }
        self.log_dict(logged, on_step=False, on_epoch=True, batch_size=len(image), sync_dist=True)
        return outcome.loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Warm-up and cosine decay per optimiser step."""
        settings = self.settings
        return scheduled(
            optimiser_of(self.method, settings),
            module=self,
            epochs=settings.epochs,
            warmup_epochs=settings.warmup_epochs,
            min_ratio=settings.min_lr / settings.lr,
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let the file say what it is: method, model, and which images it has seen."""
        checkpoint["mk11"] = {"num_heads": heads(self.method.encoder), **self.provenance}

    def _laid_out(self, image: Tensor) -> Tensor:
        """Images (batch, 3, height, width) in the memory layout of the network; views stay as they are."""
        return image.contiguous(memory_format=self.memory_format) if image.ndim == 4 else image


def compile_method(method: Method) -> None:
    """torch.compile in place, so that the checkpoint's keys stay the same.

    A contrastive method's momentum changes at each step and would be compiled anew each time: there the
    networks alone are compiled.
    """
    parts: list[nn.Module] = [method]
    if method.views > 1:
        parts = [part for name, part in method.named_children() if name.endswith("encoder")]
    for part in parts:
        part.compile()
