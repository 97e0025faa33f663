"""How an encoder is pre-trained, and how it is watched: the values, already checked (`mk11.cli.pretrain`)."""

from dataclasses import dataclass

from mk11.optim.schedule import scaled_lr

WAYS = ("probe", "knn")  # in which a health check judges features on the validation split
SCORES = ("f1_macro", "balanced_accuracy")
MEASURES = tuple(f"{way}_{score}" for way in WAYS for score in SCORES)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How an encoder is pre-trained; see conf/ssl and conf/recipe/pretrain for units and sources."""

    epochs: int
    batch_size: int
    accumulate: int
    clip_norm: float | None
    seed: int
    name: str  # of the optimiser: adamw or lars
    base_lr: float
    min_lr: float
    warmup_epochs: float
    weight_decay: float
    layer_decay: float
    betas: tuple[float, float]  # of adamw
    momentum: float  # of lars
    trust: float  # of lars
    reference_compatible: bool

    @property
    def lr(self) -> float:
        """Peak learning rate."""
        return scaled_lr(base_lr=self.base_lr, batch_size=self.batch_size)


@dataclass(frozen=True, kw_only=True)
class HealthSettings:
    """How an encoder is watched while it is pre-trained; see conf/pretrain.yaml."""

    every: int  # epochs; 0 = never
    probe_epochs: int
    probe_lr: float
    probe_batch: int
    knn_k: int
    knn_temperature: float
    collapse_below: float
    chance_margin: float
    patience: int  # checks
    on_collapse: str  # stop or warn
    pictures: int  # images

    def due(self, epoch: int, epochs: int) -> bool:
        """Whether there is a check after this epoch, counted from 1; always after the last."""
        return self.every > 0 and (epoch % self.every == 0 or epoch == epochs)

    def judged(self, settings: Settings) -> int:
        """How many checks are judged: those after the warm-up."""
        epochs = range(1, settings.epochs + 1)
        return sum(self.due(epoch, settings.epochs) and epoch > settings.warmup_epochs for epoch in epochs)
