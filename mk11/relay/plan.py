"""Which runs have to be sent, and which W&B run each of them is."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from mk11.errors import UserError
from mk11.files import read_json
from mk11.runs.ledger import Run
from mk11.training.loggers.binding import content_hash, has_arrived, known_binding

PROJECT = "mk11"  # of runs that were trained without W&B and so name none


@dataclass(frozen=True)
class Parcel:
    """One finished run and where it goes."""

    run: Run
    project: str
    entity: str | None
    content: str


@dataclass
class Plan:
    """Finished runs to send, those that lie on the server already, and why others cannot be sent."""

    parcels: list[Parcel] = field(default_factory=list)
    arrived: list[Run] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unfinished: int = 0


def plan(runs: Sequence[Run], *, project: str | None, entity: str | None) -> Plan:
    """Sort runs by what has to be done with them; writes nothing."""
    made = Plan()
    finished = [run for run in runs if run.metrics is not None]
    made.unfinished = len(runs) - len(finished)
    shared = _shared_ids(finished)
    for run in finished:
        try:
            _check_id(run, shared)
            parcel = _parcel(run, project, entity)
        except (UserError, OSError, KeyError) as error:
            made.refused.append(f"{run.folder.path}: {error}")
            continue
        there = has_arrived(run.folder, content=parcel.content, project=parcel.project, entity=parcel.entity)
        made.arrived.append(run) if there else made.parcels.append(parcel)
    return made


def _parcel(run: Run, project: str | None, entity: str | None) -> Parcel:
    settings = (run.config.get("logger") or {}).get("wandb") or {}
    return Parcel(
        run=run,
        project=project or settings.get("project") or PROJECT,
        entity=entity or settings.get("entity"),
        content=content_hash(run.folder),
    )


def _check_id(run: Run, shared: dict[str, list[Run]]) -> None:
    """Refuse an id that stands for another run too: sending it would merge the two."""
    known = known_binding(run.folder.path, str(run.record["identity"]))
    others = [other for other in shared.get(str(known.get("id")), ()) if other is not run]
    if others:
        raise UserError(
            f"wandb.json must hold an id of its own, but {others[0].folder.path} has the same,"
            f" {known['id']}; remove one of the two files"
        )


def _shared_ids(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Ids that runs of different identity have in common."""
    by_id: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        path = run.folder.path / "wandb.json"
        try:
            by_id[read_json(path)["id"]].append(run)
        except (OSError, KeyError, TypeError, UserError):  # without an id, or damaged: told in its turn
            continue
    return {name: found for name, found in by_id.items() if len({r.record["identity"] for r in found}) > 1}
