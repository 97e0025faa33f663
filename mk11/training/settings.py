"""The training keys of a config, checked where they enter."""

from dataclasses import dataclass, fields

from mk11.errors import UserError
from mk11.optim.schedule import scaled_lr

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How one network is trained; see conf/recipe for units and the published values."""

    epochs: int
    batch_size: int
    accumulate: int
    base_lr: float
    min_lr: float
    warmup_epochs: float
    weight_decay: float
    layer_decay: float
    betas: tuple[float, float]
    label_smoothing: float
    mixup_alpha: float
    cutmix_alpha: float
    mix_probability: float
    switch_probability: float
    clip_norm: float | None
    ema_decay: float
    monitor: str
    seed: int

    def __post_init__(self) -> None:
        for key, rule, holds in (
            ("epochs", "at least 1", self.epochs >= 1),
            ("batch_size", "at least 1", self.batch_size >= 1),
            ("accumulate", "at least 1", self.accumulate >= 1),
            ("optim.base_lr", "above 0", self.base_lr > 0),
            ("optim.min_lr", "in [0, lr)", 0 <= self.min_lr < self.lr),
            ("optim.warmup_epochs", f"in [0, epochs={self.epochs}]", 0 <= self.warmup_epochs <= self.epochs),
            ("optim.weight_decay", "at least 0", self.weight_decay >= 0),
            ("optim.layer_decay", "in (0, 1]", 0 < self.layer_decay <= 1),
            ("loss.label_smoothing", "in [0, 1)", 0 <= self.label_smoothing < 1),
            ("mix.mixup_alpha", "at least 0", self.mixup_alpha >= 0),
            ("mix.cutmix_alpha", "at least 0", self.cutmix_alpha >= 0),
            ("mix.probability", "in [0, 1]", 0 <= self.mix_probability <= 1),
            ("mix.switch_probability", "in [0, 1]", 0 <= self.switch_probability <= 1),
            ("clip_norm", "above 0, or null", self.clip_norm is None or self.clip_norm > 0),
            ("ema_decay", "in [0, 1)", 0 <= self.ema_decay < 1),
        ):
            if not holds:
                raise UserError(f"{key} must be {rule}, but is {self._value(key)}")

    def _value(self, key: str) -> object:
        name = key.rpartition(".")[2]
        return getattr(self, name if name in {field.name for field in fields(self)} else f"mix_{name}")

    @property
    def lr(self) -> float:
        """Peak learning rate, that of the head."""
        return scaled_lr(base_lr=self.base_lr, batch_size=self.batch_size)

    @property
    def mixes(self) -> bool:
        """Whether batches are mixed at all."""
        return self.mixup_alpha > 0 or self.cutmix_alpha > 0


def resolve_precision(asked: str, *, accelerator: str) -> str:
    """Lightning's name of the precision asked for; auto is fp32 on a CPU and the best that a GPU has."""
    import torch

    if asked in PRECISIONS:
        return PRECISIONS[asked]
    if asked != "auto":
        raise UserError(f"trainer.precision must be one of auto, {', '.join(PRECISIONS)}, but is {asked}")
    if accelerator == "cpu" or not torch.cuda.is_available():
        return PRECISIONS["fp32"]
    return PRECISIONS["bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"]
