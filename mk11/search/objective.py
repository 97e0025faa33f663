"""The value of a trial, read from what its command has left on disk."""

from pathlib import Path
from typing import Any

from mk11.errors import UserError
from mk11.files import read_json
from mk11.search.file import SearchFile

WHOLE = "cross-validation: "  # how `train.py fold=all` begins its last line


def trial_value(search: SearchFile, last_line: str) -> float:
    """The objective of the result that a command named in its last line.

    Raises:
        UserError: There is no such result, or it is of another metric or number of folds.
    """
    content = read_result(last_line)
    monitor = search.monitor or content["monitor"]
    if "mean" in content:
        return _of_all_folds(search, content, monitor)
    if search.is_mean:
        raise UserError(f"the command must run all folds for {search.metric}: add fold=all to it")
    best = content["best_validation"]
    if monitor not in best:
        raise UserError(f"metric.name must be of a metric that was validated, but is {search.metric}")
    return float(best[monitor]["value"])


def result_path(last_line: str) -> Path:
    """The run folder, or the file of a cross-validation, that a last line names."""
    return Path(last_line.removeprefix(WHOLE).strip())


def read_result(last_line: str) -> dict[str, Any]:
    """Metrics of a run, or of a cross-validation.

    Raises:
        UserError: The line names neither.
    """
    path = result_path(last_line)
    file = path if last_line.startswith(WHOLE) else path / "metrics.json"
    if not file.is_file():
        raise UserError(f"the command's last line must name its result, but is {last_line.strip()!r}")
    return read_json(file)


def _of_all_folds(search: SearchFile, content: dict[str, Any], monitor: str) -> float:
    if search.metric is not None and not search.is_mean:
        raise UserError(f"the command must run one fold for {search.metric}, but ran all: set fold=0")
    if content["monitor"] != monitor:
        raise UserError(
            f"metric.name must be of the monitored metric: {search.metric} needs monitor={monitor},"
            f" but the command ran with monitor={content['monitor']}"
        )
    return float(content["mean"])
