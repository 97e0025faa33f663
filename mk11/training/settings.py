"""How one network is trained: the values, already checked (`mk11.cli.checks`)."""

from dataclasses import dataclass

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

    on_cpu = accelerator == "cpu" or not torch.cuda.is_available()
    if asked == "fp16" and on_cpu:
        raise UserError("trainer.precision must be auto, fp32 or bf16 on a CPU, but is fp16")
    if asked != "auto":
        return PRECISIONS[asked]
    if on_cpu:
        return PRECISIONS["fp32"]
    return PRECISIONS["bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"]
