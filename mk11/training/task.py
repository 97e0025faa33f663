"""The supervised task: a network, its loss, its optimiser, its validation metrics."""

from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from timm.data import Mixup
from torch import Tensor, nn

from mk11.loop.step import scheduled, stop_if_not_finite
from mk11.metrics.online import SplitMetrics
from mk11.optim.groups import parameter_groups
from mk11.optim.optimiser import adamw
from mk11.training.settings import Settings


class SubtypeClassifier(pl.LightningModule):
    """Classify cells into subtypes; batches are those of `mk11.data.dataset`."""

    def __init__(
        self,
        *,
        network: nn.Module,
        criterion: nn.Module,
        num_classes: int,
        settings: Settings,
        channels_last: bool,
        provenance: dict[str, Any],
    ) -> None:
        super().__init__()
        self.network = network
        self.criterion = criterion
        self.settings = settings
        self.provenance = provenance
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network.to(memory_format=self.memory_format)
        self.val_metrics = SplitMetrics(num_classes=num_classes)
        self.val_loss = nn.CrossEntropyLoss()
        self.mix = _mixup(settings, num_classes) if settings.mixes else None

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """Logits."""
        return self.network(image.contiguous(memory_format=self.memory_format))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Float[Tensor, ""]:
        """Cross-entropy of a batch, mixed if the recipe says so."""
        image, target = batch["image"], batch["label"]
        if self.mix is not None and len(image) % 2 == 0:  # timm mixes pairs: an odd last batch stays as it is
            image, target = self.mix(image, target)
        loss = self.criterion(self(image), target)
        stop_if_not_finite(loss, rows=batch["index"], module=self, step=batch_idx)
        self.log(
            "train/loss",
            loss,
            on_step=False,
            on_epoch=True,
            batch_size=len(image),
            sync_dist=True,
            prog_bar=True,
        )
        return loss

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        """Loss without smoothing or class weights, and the metrics' states."""
        logits = self(batch["image"]).float()
        loss = self.val_loss(logits, batch["label"])
        self.log("val/loss", loss, on_epoch=True, batch_size=len(logits), sync_dist=True)
        self.val_metrics.update(logits, batch["label"])

    def on_validation_epoch_end(self) -> None:
        """Log every validation metric; monitored is one of these."""
        if not self.trainer.sanity_checking:
            for name, value in self.val_metrics.compute().items():
                # Equal on all devices already, as the states are gathered; sync_dist tells Lightning so.
                self.log(f"val/{name}", value, sync_dist=True, prog_bar=name == self.settings.monitor)
        self.val_metrics.reset()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let the file say what it is: classes, model, and which images it has seen."""
        checkpoint["mk11"] = self.provenance

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with layer-wise learning rates, warm-up and cosine decay per step."""
        groups = parameter_groups(
            self.network,
            lr=self.settings.lr,
            weight_decay=self.settings.weight_decay,
            layer_decay=self.settings.layer_decay,
            reference=self.settings.reference_compatible,
        )
        optimiser = adamw(groups, betas=self.settings.betas)
        return scheduled(
            optimiser,
            module=self,
            epochs=self.settings.epochs,
            warmup_epochs=self.settings.warmup_epochs,
            min_ratio=self.settings.min_lr / self.settings.lr,
        )


def _mixup(settings: Settings, num_classes: int) -> Mixup:
    """Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019) of pairs; targets become probabilities."""
    return Mixup(
        mixup_alpha=settings.mixup_alpha,
        cutmix_alpha=settings.cutmix_alpha,
        prob=settings.mix_probability,
        switch_prob=settings.switch_probability,
        label_smoothing=0.0,  # the loss smooths, mixed and unmixed batches alike
        num_classes=num_classes,
    )
