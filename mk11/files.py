"""Files that are whole or absent: written under a temporary name, then renamed."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mk11.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of processes that were killed while `replacing`; nobody else may write there."""
    for temporary in folder.rglob(".*.tmp"):
        temporary.unlink(missing_ok=True)


def writable_folder(key: str, path: Path) -> None:
    """Make a folder where something is to be written.

    Raises:
        UserError: It cannot be made or written to; names the key that asks for it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        wrong = None if os.access(path, os.W_OK | os.X_OK) else "it may not be written to"
    except OSError as error:
        wrong = str(error)
    if wrong is not None:
        raise UserError(f"{key} must be a folder that can be written to, but is {path}: {wrong}")


def write_json(path: Path, content: Any) -> None:  # noqa: ANN401
    """Write `content` as indented JSON, whole or not at all. NaN has no place in JSON and is refused."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False, default=str) + "\n")


def read_json(path: Path) -> Any:  # noqa: ANN401
    """Content of a JSON file; a damaged one is a UserError that names it."""
    try:
        return json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} must be JSON as this program wrote it, but is not: {error}") from error
