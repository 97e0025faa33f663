"""How one network is trained: the values, already checked (`mk11.cli.checks`)."""

from dataclasses import dataclass

from mk11.optim.schedule import scaled_lr


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
    reference_compatible: bool
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
