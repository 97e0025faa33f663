"""Start a W&B run: what it is called, what it is grouped by, and in which of its modes it runs."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mk11.runs.configurations import group_runs
from mk11.runs.folder import RunFolder
from mk11.runs.identity import flatten
from mk11.runs.ledger import Run
from mk11.runs.pseudonyms import Pseudonyms
from mk11.training.loggers.binding import bind
from mk11.training.loggers.sweep import Trial, current_trial

LONGEST_TAG = 64  # characters that W&B takes


def connect(options: Mapping[str, Any], *, init_timeout: float, finish_timeout: float) -> Any:  # noqa: ANN401
    """Start a W&B run in bounded time, and leave the process's own W&B settings as they were.

    `finish()` of the run raises TimeoutError where the last upload takes longer than `finish_timeout`.
    """
    import wandb

    settings = wandb.Settings(
        init_timeout=init_timeout,
        finish_timeout=finish_timeout,
        finish_timeout_raises=True,
        console="off",
        silent=True,
    )
    if options["mode"] == "online" and not wandb.login(timeout=1, relogin=False, verify=False):
        raise RuntimeError("no API key: run `wandb login`, or set logger.wandb.mode=offline")
    with _mode_kept():
        return wandb.init(settings=settings, reinit="finish_previous", **options)


@contextmanager
def _mode_kept() -> Iterator[None]:
    """Restore WANDB_MODE: an offline run must not send the next one of this process offline."""
    before = os.environ.get("WANDB_MODE")
    try:
        yield
    finally:
        os.environ.pop("WANDB_MODE", None)
        if before is not None:
            os.environ["WANDB_MODE"] = before


def place_options(
    *, mode: str, project: str, entity: str | None, own_id: str, trial: Trial | None
) -> dict[str, Any]:
    """Where a run goes. An agent has settled that for its trial: there the server's run is continued."""
    resume = "allow" if mode == "online" else None  # offline, W&B ignores it and says so
    if trial is not None:
        return {"mode": mode, "resume": resume}
    return {"mode": mode, "project": project, "entity": entity, "id": own_id, "resume": resume}


def run_options(
    folder: RunFolder,
    config: Mapping[str, Any],
    record: Mapping[str, Any],
    *,
    mode: str,
    project: str,
    entity: str | None,
    tags: list[str],
) -> dict[str, Any]:
    """What `wandb.init` is told about a training run."""
    trial = current_trial()
    own_id = bind(folder.path, record["identity"])
    return {
        **place_options(mode=mode, project=project, entity=entity, own_id=own_id, trial=trial),
        "dir": str(folder.path),
        "name": f"{record['model']}-fold{record['fold']}-seed{record['seed']}",
        "group": group_name(folder, record),
        "job_type": record["stage"],
        "tags": run_tags(tags, config, record),
        "config": flat_config(config, record),
    }


def group_name(folder: RunFolder, record: Mapping[str, Any]) -> str:
    """The configuration: equal for the folds and seeds of one row of a table, and for no others."""
    (configuration,) = group_runs([Run(folder, record, None)])
    return f"{configuration.label} {configuration.key}"


def flat_config(config: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as on the command line, the choices of config groups, identity and data.

    A sweep's parameters are flat too: `model` of a sweep would hide a nested `model` with all its keys.
    """
    data = record["data"]
    return {
        **dict(flatten({key: value for key, value in config.items() if key != "logger"})),
        **{group: choice for group, choice in record.get("choices", {}).items() if choice is not None},
        "identity": record["identity"],
        "data.fingerprint": data.get("fingerprint"),
        "data.marks": sorted(data.get("marks") or {}),
    }


def run_tags(tags: list[str], config: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    """The user's, and what every table must show: marks of the data, the search that chose the settings."""
    tuned = (config.get("analysis") or {}).get("tuned")
    told = [
        *tags,
        *(f"mark: {kind}" for kind in sorted(record["data"].get("marks") or {})),
        *([f"tuned: {tuned}"] if tuned else []),
    ]
    return [tag[:LONGEST_TAG] for tag in told]


def pseudonyms_unless(real_names: bool) -> Pseudonyms | None:
    """Pseudonyms, or None where the user wants patients and images to keep their names."""
    return None if real_names else Pseudonyms.load()
