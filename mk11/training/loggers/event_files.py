"""TensorBoard event files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mk11.runs.folder import RunFolder
from mk11.training.loggers.mirror import Mirror


class TensorBoardMirror(Mirror):
    """TensorBoard event files in a folder (`tensorboard --logdir runs`)."""

    def __init__(self, path: Path) -> None:
        super().__init__("TensorBoard")
        self.guarded("start", lambda: self._start(path))

    def _start(self, path: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.target = SummaryWriter(str(path))

    def send(self, metrics: Mapping[str, float], step: int | None) -> None:
        """One scalar a metric."""
        for name, value in metrics.items():
            self.target.add_scalar(name, value, step)

    def finish(self, exit_code: int) -> None:
        """Write what is still in memory."""
        if self.target is not None:
            self.guarded("finish", self.target.close)


def tensorboard(*, folder: RunFolder, config: Mapping[str, Any], record: Mapping[str, Any]) -> Mirror:
    """TensorBoard event files in the run folder."""
    return TensorBoardMirror(folder.path / "tensorboard")
