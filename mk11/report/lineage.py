"""What a run was made from, step by step: its pre-training, the selections before that, their fields."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mk11.errors import UserError
from mk11.files import read_json
from mk11.report.names import Names
from mk11.runs.folder import RunFolder
from mk11.runs.ledger import Run, read_run

LEVELS = 4  # a run lies in <runs>/<stage>/<experiment>/<row>/<run>
STAGES = ("pretrain", "select")


class Step(NamedTuple):
    """One step of the way from the fields to a run: what it is, where it lies, and what was told of it."""

    what: str  # pre-training, selection, fields
    place: Path
    told: str


def steps_before(run: Run) -> list[Step]:
    """The steps behind a run, the last one first, as far as their records are there.

    They are told as the pre-training recorded them: a selection that was made anew since changes nothing.
    """
    with suppress(UserError, OSError):  # a damaged record ends the lineage, not the report
        if (before := _pretraining(run)) is not None:
            return [_encoder(run, before), *_behind(before)]
    return []


def told_steps(run: Run, names: Names) -> Iterator[tuple[str, str]]:
    """What each step is, and where it lies and what it was, in words for a report."""
    for step in steps_before(run):
        yield step.what, f"{_called(step.place, names)}, {names.sentence(step.told)}"


def _pretraining(run: Run) -> Run | None:
    """The pre-training whose encoder a run began from: where it was, or beside the run if both were moved."""
    lineage = run.record.get("lineage") or {}
    weights = Path(str(lineage.get("weights") or "none")).expanduser()
    was = Path(str(lineage.get("stage") or weights.parent))
    beside = [root.joinpath(*was.parts[-LEVELS:]) for root in run.folder.path.parents[LEVELS - 1 : LEVELS]]
    for folder in (was, *beside):
        if RunFolder(folder).record.exists() and (found := read_run(folder)).stage == "pretrain":
            return found
    return None


def _encoder(run: Run, before: Run) -> Step:
    images = ((before.record.get("pool") or {}).get("counts") or {}).get("used", 0)
    changed = "" if _same_encoder(run, before) else "; its encoder was made anew since this run"
    return Step("pre-training", before.folder.path, f"{before.model} on {images:,} images{changed}")


def _same_encoder(run: Run, before: Run) -> bool:
    about = before.folder.encoder.with_suffix(".json")
    used = (run.record.get("lineage") or {}).get("weights_hash")
    return not about.exists() or read_json(about).get("content_hash") == used


def _behind(before: Run) -> Iterator[Step]:
    """The selections of a pre-training's pool, each with its fields."""
    for told in (before.record.get("pool") or {}).get("selections") or ():
        manifest, table = Path(told["manifest"]), f"table {told['content_hash']}"
        if (fields := told.get("fields")) is None:
            yield Step("selection", manifest, f"not made by select.py, {table}")
            continue
        encoder = (told.get("encoder") or {}).get("name")
        yield Step("selection", manifest.parent, f"{told['model']} by features of {encoder}, {table}")
        yield Step("fields", Path(fields["root"]), _told_fields(fields))


def _told_fields(fields: Mapping[str, Any]) -> str:
    return f"{fields['count']:,} of {fields['name']}, state {fields['fingerprint']}"


def _called(place: Path, names: Names) -> str:
    """A run by its place under the folder of all runs, as its stage and identity tell it; else a path."""
    lies_so = len(place.parts) >= LEVELS and place.parts[-LEVELS] in STAGES
    if lies_so and not names.identify:
        return names.sentence("/".join(place.parts[-LEVELS:]))
    return names.value(str(place))
