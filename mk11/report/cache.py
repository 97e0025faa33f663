"""What takes long is computed once: kept by the content of the predictions, the question and the code."""

import hashlib
import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import mk11.evaluation
import mk11.metrics
from mk11.errors import UserError
from mk11.files import read_json, write_json
from mk11.runs.ledger import Run


class Cache:
    """A JSON file of results. A damaged one is begun anew: all of it can be computed again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.computed = 0  # results that were not there
        self._results: dict[str, Any] = _read(path)

    def get(self, question: object, runs: Iterable[Run], compute: Callable[[], Any]) -> Any:  # noqa: ANN401
        """The answer of `compute`, plain JSON, to `question` about the predictions of some runs."""
        told = [question, [predictions_hash(run.folder.predictions) for run in runs], code_hash()]
        key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]
        if key not in self._results:
            self._results[key] = compute()
            self.computed += 1
        return self._results[key]

    def save(self) -> None:
        """Write what was computed."""
        if self.computed:
            write_json(self.path, self._results)


def predictions_hash(path: Path) -> str:
    """Hash of a file's content.

    Raises:
        UserError: It cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(
            f"{path} must be there, as the run has finished, but cannot be read: {error}"
        ) from error


@cache
def code_hash() -> str:
    """Hash of the code behind the results, so that a corrected formula is not answered from the cache."""
    files = [path for package in (mk11.evaluation, mk11.metrics) for path in _sources(package.__path__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _sources(folders: Iterable[str]) -> list[Path]:
    return sorted(path for folder in folders for path in Path(folder).rglob("*.py"))


def _read(path: Path) -> dict[str, Any]:
    try:
        told = read_json(path) if path.exists() else {}
    except UserError:
        return {}
    return told if isinstance(told, dict) else {}
