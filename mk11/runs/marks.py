"""Marks: what every table must show of a row's data, weights and tuning."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mk11.runs.analysis import analysis_of
from mk11.runs.ledger import FINAL, Run

TUNED = "tuned on the same folds"


def marks_of(runs: Sequence[Run]) -> list[str]:
    """One sentence for each thing that is not clean, with the folds it holds for; ids of images stay out.

    Tuning is of all of them, whichever runs say so: the choice was made by looking at the folds together. The
    images locked away, on which `fold=final` tests, took no part in it.
    """
    told: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        for sentence in data_marks(run.record["data"].get("marks") or {}):
            told[sentence].add(str(run.fold))
    every = {str(run.fold) for run in runs}
    tuned = dict.fromkeys(sentence for run in runs if run.fold != FINAL for sentence in _tuned(run))
    return [
        *(
            sentence if folds == every else f"{sentence} ({_folds(folds)})"
            for sentence, folds in told.items()
        ),
        *tuned,
    ]


def final_marks_of(runs: Sequence[Run]) -> list[str]:
    """Of the runs on `fold=final` the marks of their data alone: what they test took no part in tuning."""
    found = [run for run in runs if run.fold == FINAL]
    told = (sentence for run in found for sentence in data_marks(run.record["data"].get("marks") or {}))
    return list(dict.fromkeys(told))


def data_marks(marks: Mapping[str, object]) -> list[str]:
    """The marks of one run's data in words."""
    return [sentence for kind, content in marks.items() for sentence in _sentences(kind, content)]


def _sentences(kind: str, content: object) -> Iterable[str]:
    if kind == "leaks" and isinstance(content, Mapping):
        return [f"leak: {what} on two sides of the split" for what in content]
    if kind == "skipped" and isinstance(content, Sequence):
        return [f"{len(content)} unreadable images left out"]
    if kind == "conflicts" and isinstance(content, Sequence) and not isinstance(content, str):
        return [f"{len(content)} images under several labels"]
    if isinstance(content, list):
        return [f"{kind}: {line}" for line in content]
    return [f"{kind}: {content}"]


def _tuned(run: Run) -> list[str]:
    """Who chose a configuration by these folds has seen their images: its figures are too high."""
    analysis = analysis_of(run.config)
    name = run.record.get("tuned") or analysis.get("tuned") or analysis.get("tuned_on_folds")
    if not name:
        return []
    return [TUNED if name is True else f"{TUNED} (by {name})"]


def _folds(folds: set[str]) -> str:
    told = sorted(folds, key=lambda fold: (not fold.isdigit(), int(fold) if fold.isdigit() else 0))
    return f"{'folds' if len(told) > 1 else 'fold'} {', '.join(told)}"
