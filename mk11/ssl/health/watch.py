"""The health check as part of a training: every few epochs, into the history, and an alarm that stops it."""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from mk11.errors import UserError
from mk11.runs.folder import RunFolder
from mk11.ssl.health.checks import HealthCheck
from mk11.ssl.health.collapse import CollapseAlarm
from mk11.ssl.health.pictures import write_sheet
from mk11.ssl.remedy import remedy
from mk11.ssl.settings import Settings
from mk11.ssl.task import SelfSupervised

KEYS = ("val/", "health/")  # what checks log; absent from the history's other rows


class Complaint(NamedTuple):
    """What is wrong with an encoder."""

    told: str
    stops: bool  # whether the training ends here


class Watch(Callback):
    """Checks the encoder when it is due; its state is in the checkpoint, so that a resumed run goes on alike.

    Args:
        check: What to look at.
        settings: Of the training.
        folder: Pictures go into its figures.
        mean: Of the images' normalisation.
        std: Likewise.
    """

    def __init__(
        self,
        *,
        check: HealthCheck,
        settings: Settings,
        folder: RunFolder,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        self.check, self.settings, self.folder = check, settings, folder
        self.mean, self.std = mean, std
        health = check.settings
        self.alarm = CollapseAlarm(
            below=health.collapse_below, chance_margin=health.chance_margin, patience=health.patience
        )
        self.found: Complaint | None = None  # of this epoch, the same on all devices

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Forget what the last check logged: Lightning would repeat it with every epoch."""
        for key in [key for key in trainer.callback_metrics if key.startswith(KEYS)]:
            del trainer.callback_metrics[key]

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Check, on one device while the others wait; `Verdict` acts on what was found."""
        assert isinstance(module, SelfSupervised)
        epoch = trainer.current_epoch + 1
        self.found = None
        if not self.check.settings.due(epoch, self.settings.epochs):
            return
        trainer.callback_metrics  # noqa: B018  asked for on every device: they are gathered from all
        found = self._look(trainer, module, epoch) if trainer.is_global_zero else None
        self.found = trainer.strategy.broadcast(found)

    def _look(self, trainer: pl.Trainer, module: SelfSupervised, epoch: int) -> Complaint | None:
        """Measure, log and draw; a complaint if something is wrong."""
        found = self.check.measure(module.method, module.device)
        if not all(map(math.isfinite, found.values())):
            told = f"the encoder's features are not finite after epoch {epoch}. {remedy(self.folder)}"
            return Complaint(told, stops=True)
        module.log_dict(found, on_step=False, on_epoch=True, rank_zero_only=True)
        pictures = self.check.pictures(module.method, module.device)
        if pictures is not None:
            path = self.folder.figures / f"pictures_epoch{epoch:04d}.png"
            write_sheet(path, pictures, mean=self.mean, std=self.std)
        if epoch <= self.settings.warmup_epochs:
            return None  # hardly trained yet
        return self._judged(epoch, trainer.callback_metrics)

    def _judged(self, epoch: int, logged: Mapping[str, Tensor]) -> Complaint | None:
        chance = logged.get("pretrain/chance")
        wrong = self.alarm.judge(
            epoch=epoch,
            feature_std=float(logged["health/feature_std"]),
            loss=float(logged["pretrain/loss"]),
            chance=None if chance is None else float(chance),
        )
        if wrong is None:
            return None
        bad, patience = self.alarm.bad_checks, self.alarm.patience
        if not self.alarm.raised:
            told = f"after epoch {epoch} {wrong}: bad check {bad}; {patience} in a row are a collapse"
            return Complaint(told, stops=False)
        told = (
            f"the encoder has collapsed: after epoch {epoch} {wrong}, for {bad} checks."
            f" {self._last_good()}. A lower optim.base_lr or a larger batch_size may help"
        )
        stops = self.check.settings.on_collapse == "stop"
        return Complaint(f"{told}; health.on_collapse=warn goes on" if stops else told, stops=stops)

    def _last_good(self) -> str:
        if self.alarm.last_good is None:
            return "No check before looked well"
        return f"The last good checkpoint is {self.folder.good}, of epoch {self.alarm.last_good}"

    @property
    def collapsed(self) -> str | None:
        """What was wrong with the last check, in words; None if it looked well or was not judged."""
        return self.alarm.wrong

    def looks_well(self, epoch: int) -> bool:
        """Whether the check after this epoch found nothing wrong."""
        return self.alarm.last_good == epoch

    def state_dict(self) -> dict[str, Any]:
        """Probe and alarm."""
        return {"probe": self.check.probe.state_dict(), "alarm": self.alarm.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore them on a resume."""
        self.check.probe.load_state_dict(state_dict["probe"])
        self.alarm.load_state_dict(state_dict["alarm"])


class Verdict(Callback):
    """Acts on a check when the epoch's row is written: stops on all devices, or says what is wrong."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Act.

        Raises:
            UserError: The encoder has collapsed and health.on_collapse is stop, or is not finite.
        """
        found = self.watch.found
        if found is not None and found.stops:
            raise UserError(found.told)
        if found is not None and trainer.is_global_zero:
            print(f"warning: {found.told}", file=sys.stderr, flush=True)
