"""All that is known of one run: behind its line in the table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mk11.report.lineage import told_steps
from mk11.report.names import Names
from mk11.report.page.environment import Environment, environment, environments
from mk11.report.page.runs import STATUS, RunGroup, moment, run_anchor
from mk11.report.tables.words import NONE
from mk11.runs.ledger import Run
from mk11.runs.marks import data_marks

LONGEST_ERROR = 4000  # characters, from the end


@dataclass(frozen=True)
class RunDetails:
    """What is behind one line of the table; `kind` is how its status looks."""

    anchor: str
    title: str
    status: str
    kind: str
    facts: list[tuple[str, str]]
    overrides: list[str]
    error: str


def details(groups: Sequence[RunGroup], names: Names) -> list[tuple[RunGroup, list[RunDetails]]]:
    """Everything about each run, by configuration."""
    runs = [run for group in groups for run in group.runs]
    known = environments(runs)
    return [(group, [_details(run, known, names) for run in group.runs]) for group in groups]


def _details(run: Run, known: Sequence[Environment], names: Names) -> RunDetails:
    facts = [
        ("Folder", names.path(run.folder.path)),
        *_course(run),
        ("Environment", str(known.index(environment(run)) + 1)),
        *_data(run, names),
        *(("Lineage", told) for told in _lineage(run, names)),
    ]
    return RunDetails(
        anchor=run_anchor(run),
        title=f"fold {run.fold}, seed {run.seed}",
        status=run.status,
        kind=STATUS.get(run.status, "quiet"),
        facts=facts,
        overrides=[names.override(str(override)) for override in run.record.get("overrides") or ()],
        error=_error(run, names),
    )


def _course(run: Run) -> Iterator[tuple[str, str]]:
    """When, how often, how long, and by which code."""
    record = run.record
    yield "Started", moment(record.get("started"))
    yield "Ended", moment(record.get("ended"))
    if len(record.get("starts") or ()) > 1:
        yield "Starts", str(len(record["starts"]))
    if run.metrics is not None:
        best, monitor = run.metrics.get("best_epoch", NONE), run.metrics.get("monitor", NONE)
        yield "Epochs", f"{run.metrics.get('epochs', NONE)}, the best by {monitor}: {best}"
    yield "Commit", str(record.get("commit") or NONE)
    yield "Identity", str(record.get("identity") or NONE)


def _data(run: Run, names: Names) -> Iterator[tuple[str, str]]:
    data = run.record["data"]
    counts = [f"{count:,} {split}" for split, count in (data.get("images") or {}).items()]
    yield "Data", f"{data.get('name', NONE)}, fold {data.get('fingerprint', NONE)}"
    yield "Images", ", ".join(counts) or NONE
    marks = data.get("marks") or {}
    for sentence in data_marks(marks):
        yield "Mark", names.sentence(sentence)
    if marks and names.identify:
        yield "Marked images", str(marks)


def _lineage(run: Run, names: Names) -> Iterator[str]:
    """From the starting weights back to the fields; the report on single tensors stays in run.json."""
    for key, value in (run.record.get("lineage") or {}).items():
        if value and key != "report":
            yield f"{key.replace('_', ' ')}: {names.value(str(value))}"
    for what, told in told_steps(run, names):
        yield f"{what}: {told}"


def _error(run: Run, names: Names) -> str:
    if run.metrics is not None or not run.folder.error.exists():
        return ""
    text = run.folder.error.read_text(errors="replace").strip()
    return names.sentence(text if len(text) <= LONGEST_ERROR else f"...\n{text[-LONGEST_ERROR:]}")
