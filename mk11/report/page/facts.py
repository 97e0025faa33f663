"""On which data: one entry for each state of the data that configurations were run on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mk11.report.page.words import listed, several
from mk11.runs.configurations import Configuration
from mk11.runs.states import State, data_state, image_count


@dataclass(frozen=True)
class DataFacts:
    """A data set in one state."""

    name: str
    facts: list[tuple[str, str]]


def data_facts(configurations: Sequence[Configuration]) -> list[DataFacts]:
    """Name, subtypes, images, groups and folds of each state of the data."""
    states: dict[State, list[Configuration]] = {}
    for c in configurations:
        states.setdefault(data_state(c), []).append(c)
    alone = len(states) == 1
    return [
        DataFacts(str(found[0].runs[0].record["data"].get("name")), _facts(found, alone=alone))
        for found in states.values()
    ]


def _facts(configurations: Sequence[Configuration], *, alone: bool) -> list[tuple[str, str]]:
    first = configurations[0]
    data = first.runs[0].record["data"]
    facts = [
        ("Images", f"{image_count(first.runs[0]):,}"),
        ("Groups", _known_groups(configurations)),
        ("Folds", str(len(first.expected_folds))),
    ]
    if data.get("holdout"):
        facts.append(("Locked away", several(data["holdout"], "image")))
    facts.append(("State", first.runs[0].data_set or "not recorded by these older runs"))
    if not alone:
        facts.append(("Configurations", str(len(configurations))))
    return [*facts, ("Subtypes", f"{len(first.classes)}: {listed(list(first.classes), 20)}")]


def _known_groups(configurations: Sequence[Configuration]) -> str:
    """How many groups the images of all folds are from, by the first configuration that can be read."""
    for configuration in configurations:
        try:
            known = _groups([run.folder.predictions for run in configuration.finished]) - {""}
        except (OSError, pa.ArrowException):
            continue
        return known_words(len(known)) if configuration.finished else "not known yet"
    return "cannot be told: no predictions can be read"


def known_words(count: int) -> str:
    """A group need not be a patient: the index may have named slides or fields."""
    return f"{count:,} (patients, slides or fields)" if count else "not known: each image stands for itself"


def _groups(predictions: Sequence[Path]) -> set[str]:
    columns = [pq.read_table(path, columns=["group"]).column("group") for path in predictions]
    return {str(group) for column in columns for group in column.unique().to_pylist()}
