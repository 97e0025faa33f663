"""What every mirror of a run does, and does not do: one that fails must not fail the run."""

import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from mk11.runs.folder import RunFolder


def succeeds(title: str, action: str, call: Callable[[], object]) -> bool:
    """Run `call`; if it throws, say so and go on."""
    try:
        call()
    except Exception as error:
        print(f"warning: {title} failed to {action}; the run goes on without it: {error}", file=sys.stderr)
        return False
    return True


class Mirror(Logger):
    """Mirrors a run's metrics until mirroring fails; then it says so once and stays silent."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = title
        self.target: Any = None  # what metrics go to; None before a start that worked
        self.silent = False

    @property
    def name(self) -> str:
        """Lightning's name for this logger."""
        return self.title

    @property
    def version(self) -> str | None:
        """Nothing: the run folder is the version."""
        return None

    @property
    def working(self) -> bool:
        """Whether it started and has not failed since."""
        return self.target is not None and not self.silent

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Mirror one epoch's metrics; `step` is the optimiser step."""
        if self.working:
            self.guarded("log", lambda: self.send(metrics, step))

    def log_hyperparams(self, params: object, *args: object, **kwargs: object) -> None:
        """Nothing: the config lies in the run folder."""

    def publish(self, folder: RunFolder) -> None:
        """Mirror what the finished run left in its folder, where there is a place for it."""

    @abstractmethod
    def send(self, metrics: Mapping[str, float], step: int | None) -> None:
        """Hand metrics to the target."""

    @abstractmethod
    def finish(self, exit_code: int) -> None:
        """Close the target."""

    @rank_zero_only
    def guarded(self, action: str, call: Callable[[], object]) -> None:
        """Run `call`; whatever it throws, the run matters more than its mirror."""
        self.silent = not succeeds(self.title, action, call) or self.silent
