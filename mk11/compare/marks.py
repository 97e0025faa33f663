"""What is not clean about the data or the tuning of a side: a difference may come from that alone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mk11.runs.ledger import FINAL, Run

TUNED = "tuned on the same folds"


def marks_of(runs: Sequence[Run]) -> list[str]:
    """One sentence for each mark; those of the data with the folds they hold for, if not for all."""
    told: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        for sentence in _data_marks(run.record["data"].get("marks") or {}):
            told[sentence].add(str(run.fold))
    every = {str(run.fold) for run in runs}
    return [
        *(
            sentence if folds == every else f"{sentence} ({_folds(folds)})"
            for sentence, folds in told.items()
        ),
        *_tuned(runs),
    ]


def _data_marks(marks: Mapping[str, Any]) -> Iterable[str]:
    """In words; ids of images and names of groups stay out."""
    for kind, content in marks.items():
        if kind == "leaks" and isinstance(content, Mapping):
            yield from (f"leak: {what} on two sides of the split" for what in content)
        elif kind == "skipped" and isinstance(content, list):
            yield f"{len(content)} unreadable images left out"
        elif kind == "conflicts" and isinstance(content, list):
            yield f"{len(content)} images under several labels"
        else:
            yield from (f"{kind}: {line}" for line in (content if isinstance(content, list) else [content]))


def _tuned(runs: Sequence[Run]) -> list[str]:
    """Who chose a configuration by some of these folds has seen the images of all of them.

    The images locked away took no part in that.
    """
    found = {_search_of(run) for run in runs if run.fold != FINAL} - {None}
    return [TUNED if name is True else f"{TUNED} (by {name})" for name in sorted(found, key=str)]


def _search_of(run: Run) -> str | bool | None:
    analysis = run.config.get("analysis") or {}
    return run.record.get("tuned") or analysis.get("tuned") or analysis.get("tuned_on_folds") or None


def _folds(folds: set[str]) -> str:
    told = sorted(folds, key=lambda fold: (not fold.isdigit(), int(fold) if fold.isdigit() else 0))
    return f"{'folds' if len(told) > 1 else 'fold'} {', '.join(told)}"
