"""Report to a sweep what no training in this process did: five folds as one trial, or a stored result."""

import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mk11.runs.folder import RunFolder
from mk11.runs.ledger import read_run
from mk11.training.loggers.binding import bind
from mk11.training.loggers.connection import (
    connect,
    flat_config,
    group_name,
    place_options,
    pseudonyms_unless,
    run_options,
    run_tags,
)
from mk11.training.loggers.mirror import succeeds
from mk11.training.loggers.published import replay
from mk11.training.loggers.sweep import current_trial

Choice = Mapping[str, Mapping[str, Any]]  # the config's `logger`
OF_ONE_FOLD = ("fold", "data.fingerprint", "data.marks", "identity")


def log_cross_validation(
    *,
    logger: Choice,
    folders: Sequence[Path],
    values: Mapping[int, float | None],
    monitor: str,
    place: Path,
) -> None:
    """Put the folds of one configuration on one W&B run, which is the agent's where an agent asked for them.

    Does nothing unless the logger choice has `wandb`. The objective is `cv/val_<monitor>_mean`, always of the
    inner validation splits. With a fold missing there is no mean, and the run ends as failed.

    Args:
        logger: The config's `logger`.
        folders: Run folders of the finished folds; the first one's config stands for all.
        values: Fold to its best validation value of `monitor`; None where the fold failed.
        monitor: The metric.
        place: Where W&B may keep its files, such as `<runs>/cv/<key>`.
    """
    if "wandb" not in logger:
        return
    settings, told = logger["wandb"], cross_validation_metrics(values, monitor)

    def report() -> None:
        run = connect(_trial_options(settings, folders, place), **_timeouts(settings))
        run.log(told)
        run.finish(exit_code=0 if f"cv/val_{monitor}_mean" in told else 1)

    succeeds("W&B", "log the cross-validation", report)


def cross_validation_metrics(values: Mapping[int, float | None], monitor: str) -> dict[str, float]:
    """Each fold's value and, if every fold has one, their mean and sample standard deviation."""
    known = {fold: value for fold, value in sorted(values.items()) if value is not None}
    told = {f"cv/val_{monitor}_fold{fold}": value for fold, value in known.items()}
    if known and len(known) == len(values):
        told[f"cv/val_{monitor}_mean"] = statistics.fmean(known.values())
        if len(known) > 1:
            told[f"cv/val_{monitor}_sd"] = statistics.stdev(known.values())
    return told


def report_to_agent(*, logger: Choice, folder: Path) -> None:
    """Put a run's stored result on the agent's W&B run: it was finished before, or trained elsewhere.

    Does nothing unless the logger choice has `wandb` and an agent started this process.
    """
    if "wandb" not in logger or current_trial() is None:
        return
    settings, own = logger["wandb"], RunFolder(folder)

    def report() -> None:
        stored = read_run(folder)
        options = run_options(own, stored.config, stored.record, **_place(settings), tags=settings["tags"])
        run = connect(options, **_timeouts(settings))
        replay(run, own, pseudonyms_unless(settings["real_names"]))
        run.finish(exit_code=0)

    succeeds("W&B", "report the stored result", report)


def _trial_options(settings: Mapping[str, Any], folders: Sequence[Path], place: Path) -> dict[str, Any]:
    """What `wandb.init` is told about a trial: what its folds share."""
    place.mkdir(parents=True, exist_ok=True)
    where = _place(settings)
    own_id = bind(place, place.name)
    options = {
        **place_options(**where, own_id=own_id, trial=current_trial()),
        "dir": str(place),
        "job_type": "cross-validation",
        "name": "all folds",
        "tags": list(settings["tags"]),
    }
    if not folders:
        return options
    first = read_run(folders[0])
    config = flat_config(first.config, first.record)
    return options | {
        "name": f"{first.model}-all-folds-seed{first.seed}",
        "group": group_name(first.folder, first.record),
        "tags": run_tags(options["tags"], first.config, first.record),
        "config": {key: value for key, value in config.items() if key not in OF_ONE_FOLD},
    }


def _place(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Mode, project and entity.

    An agent talks to its server from this machine. So does what reports to it, even where the runs themselves
    are kept offline on another.
    """
    mode = settings["mode"]
    if mode == "offline" and current_trial() is not None:
        mode = os.environ.get("WANDB_MODE", "online")
    return {"mode": mode, "project": settings["project"], "entity": settings["entity"]}


def _timeouts(settings: Mapping[str, Any]) -> dict[str, float]:
    return {key: settings[key] for key in ("init_timeout", "finish_timeout")}
