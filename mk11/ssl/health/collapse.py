"""The collapse alarm: features that all point one way, or a contrastive loss that stays at chance."""

from dataclasses import asdict, dataclass
from typing import Any

REMEMBERED = ("bad_checks", "last_good", "wrong")


@dataclass
class CollapseAlarm:
    """Counts checks in a row that look collapsed.

    Args:
        below: Feature deviation (`mk11.metrics.features.feature_std`) under which features have collapsed.
        chance_margin: A loss within this share of chance, above or below, counts as chance: what outputs that
            are all alike give. Above it are encoders that have hardly begun.
        patience: So many collapsed checks in a row raise the alarm.
    """

    below: float
    chance_margin: float
    patience: int
    bad_checks: int = 0
    last_good: int | None = None  # epoch of the last check that looked well
    wrong: str | None = None  # with the last check, in words

    def judge(self, *, epoch: int, feature_std: float, loss: float, chance: float | None) -> str | None:
        """What is wrong with this check, in words; None if it looks well."""
        wrong = None
        if not feature_std >= self.below:  # NaN is collapsed too
            wrong = (
                f"the features' deviation is {feature_std:.3g}, below health.collapse_below={self.below:g}"
            )
        elif chance is not None and abs(loss - chance) <= self.chance_margin * chance:
            wrong = f"the loss is {loss:.3f}, that of chance ({chance:.3f})"
        self.wrong = None if wrong is None else f"after epoch {epoch} {wrong}"
        self.bad_checks = 0 if wrong is None else self.bad_checks + 1
        if wrong is None:
            self.last_good = epoch
        return wrong

    @property
    def raised(self) -> bool:
        """Whether this has gone on for too long."""
        return self.bad_checks >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know."""
        return {key: asdict(self)[key] for key in REMEMBERED}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on counting."""
        for key in REMEMBERED:
            setattr(self, key, state[key])
