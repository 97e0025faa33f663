"""`wandb.json`: which W&B run a folder belongs to, and what of the folder has arrived there."""

import hashlib
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mk11.errors import UserError
from mk11.files import read_json, write_json
from mk11.runs.folder import RunFolder


def known_binding(place: Path, identity: str) -> dict[str, Any]:
    """What a folder's `wandb.json` says; empty without one.

    Raises:
        UserError: It was written for another identity: two different runs would become one on the server.
    """
    path = place / "wandb.json"
    known: dict[str, Any] = read_json(path) if path.exists() else {}
    if known.get("identity", identity) != identity:
        raise UserError(
            f"{path} must hold the W&B id of run {identity}, but was made for {known['identity']};"
            " remove it to give the run an id of its own"
        )
    return known


def bind(place: Path, identity: str) -> str:
    """The id kept in a folder, drawn on first use: by the system, so that no seed of ours takes part.

    Raises:
        UserError: As `known_binding`.
    """
    known = known_binding(place, identity)
    bound = {"id": secrets.token_hex(4), **known, "identity": identity}
    if bound != known:
        write_json(place / "wandb.json", bound)
    return str(bound["id"])


def content_hash(folder: RunFolder) -> str:
    """Sixteen hex digits over everything that is uploaded of a finished run."""
    digest = hashlib.sha256()
    for path in (folder.config, folder.history, folder.metrics, folder.predictions):
        if path.exists():  # a pre-training has no predictions
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def remember_arrival(folder: RunFolder, *, content: str, project: str, entity: str, run: str) -> None:
    """Note that this content lies on the server."""
    path = folder.path / "wandb.json"
    known: dict[str, Any] = read_json(path) if path.exists() else {}
    arrival = {"content": content, "project": project, "entity": entity, "run": run}
    write_json(path, {**known, "arrived": {**arrival, "at": datetime.now(UTC).isoformat(timespec="seconds")}})


def has_arrived(folder: RunFolder, *, content: str, project: str, entity: str | None) -> bool:
    """Whether this content lies in this project; `entity` None stands for whichever it was."""
    path = folder.path / "wandb.json"
    arrived = read_json(path).get("arrived") if path.exists() else None
    return (
        arrived is not None
        and (arrived["content"], arrived["project"]) == (content, project)
        and entity in (None, arrived["entity"])
    )
