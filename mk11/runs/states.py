"""States of the data: what may be averaged, and what may stand in one contest."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from mk11.runs.configurations import Configuration
from mk11.runs.ledger import Run

State = tuple[str, tuple[str, ...]]


def data_state(configuration: Configuration) -> State:
    """The data that a configuration was run on, and its classes; old runs tell their number of images."""
    data = configuration.runs[0].record["data"]
    told = (
        configuration.settings["data.set"]
        or f"{data.get('name')}, {image_count(configuration.runs[0])} images"
    )
    return str(told), configuration.classes


def state_title(configuration: Configuration) -> str:
    """The same for the head of a part of a table."""
    name = configuration.runs[0].record["data"].get("name")
    told, classes = data_state(configuration)
    state = f"state {told[:8]}" if configuration.settings["data.set"] else told.partition(", ")[2]
    return f"{name}, {len(classes)} classes, {state}"


def image_count(run: Run) -> int:
    """Images of all splits: the same in every fold of one state of the data."""
    return sum((run.record["data"].get("images") or {}).values())


def unmixed(configurations: Sequence[Configuration]) -> tuple[list[Configuration], list[str]]:
    """Configurations whose runs may be averaged, and what had to be put apart for that.

    Runs tell the state of their data. Old ones do not, but in one state every fold has as many images in all,
    and every seed of a fold has the same ones.
    """
    found, warnings = [], []
    for configuration in configurations:
        if configuration.settings["data.set"] is not None:
            found.append(configuration)
            continue
        for part in _by_image_count(configuration):
            kept, told = _newest_state(part)
            found.append(kept)
            warnings += told
    return found, warnings


def _by_image_count(configuration: Configuration) -> list[Configuration]:
    parts: dict[int, list[Run]] = defaultdict(list)
    for run in configuration.runs:
        parts[image_count(run)].append(run)
    if len(parts) == 1:
        return [configuration]
    return [
        replace(
            configuration,
            key=f"{configuration.key}-{count}",
            label=f"{configuration.label} [{count} images]",
            runs=tuple(runs),
        )
        for count, runs in parts.items()
    ]


def _newest_state(configuration: Configuration) -> tuple[Configuration, list[str]]:
    """Without the runs of a fold whose images are not those of the fold's newest run."""
    state: dict[int | str, object] = {}
    for run in sorted(configuration.runs, key=lambda run: str(run.record.get("ended")), reverse=True):
        if run.metrics is not None:
            state.setdefault(run.fold, run.record["data"].get("fingerprint"))
    other = [
        run for run in configuration.finished if run.record["data"].get("fingerprint") != state[run.fold]
    ]
    staying = tuple(run for run in configuration.runs if all(run is not left for left in other))
    return replace(configuration, runs=staying), [
        f"{configuration.label}: {run.folder.path} is left out, since a newer run of its fold {run.fold} has "
        "other images: the two are not averaged"
        for run in other
    ]
