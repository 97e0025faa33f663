"""What the probes found, at the terminal. Metrics are in per cent, of the test split."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mk11.evaluation.probe.measure import spread
from mk11.runs.marks import data_marks
from mk11.terminal import plain

COLUMNS = {"f1_macro": "macro-F1", "balanced_accuracy": "balanced accuracy", "accuracy": "accuracy"}


class Value(NamedTuple):
    """A metric, with its deviation where it is a mean."""

    mean: float
    sd: float | None


class Row(NamedTuple):
    """What one method reached."""

    method: str
    choice: str  # made on validation
    values: Mapping[str, Value]  # of each of `COLUMNS`


def print_probe(console: Console, name: str, results: Sequence[Mapping[str, Any]]) -> None:
    """One encoder's folds, and their mean where there are several."""
    _say(console, _title(name, results))
    table = _empty_table()
    for result in results:
        _add(table, str(result["data"]["fold"]), list(rows_of(result)))
    if len(results) > 1:
        _add(table, f"{len(results)} folds", over_folds([list(rows_of(result)) for result in results]))
    console.print(table, crop=False)
    for line in _notes(results):
        _say(console, line)


def print_mean(console: Console, name: str, results: Sequence[Mapping[str, Any]]) -> None:
    """The mean over the folds of one configuration, each probed with the encoder made for it."""
    _say(console, _title(f"{name}, {len(results)} encoders", results))
    table = _empty_table()
    _add(table, f"{len(results)} folds", over_folds([list(rows_of(result)) for result in results]))
    console.print(table, crop=False)
    folds = ", ".join(str(result["data"]["fold"]) for result in results)
    _say(console, f"folds {folds}, an encoder each: mean ± sd over folds (of shots: of the means over draws)")


def _empty_table() -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("fold")
    table.add_column("method", overflow="fold")
    table.add_column("chosen on val", overflow="fold")
    for shown in COLUMNS.values():
        table.add_column(shown, justify="right")
    return table


def _say(console: Console, line: str) -> None:
    console.print(Text(plain(line)), soft_wrap=not console.is_terminal)


def rows_of(result: Mapping[str, Any]) -> Iterator[Row]:
    """One fold's rows, as the table shows them."""
    knn, linear, prototype = result["knn"], result["linear"], result["prototype"]
    yield Row("k-NN", f"k = {knn['k']}", _alone(knn["test"]))
    yield Row("linear probe", f"C = {linear['C']:g}", _alone(linear["test"]))
    yield Row("prototypes, all images", "", _alone(prototype["all"]["test"]))
    for few in prototype["few"]:
        noun = "shot" if few["shots"] == 1 else "shots"
        values = {name: Value(**few["test"][name]) for name in COLUMNS}
        yield Row(f"prototypes, {few['shots']} {noun}", "", values)


def over_folds(folds: Sequence[Sequence[Row]]) -> list[Row]:
    """Mean and sample deviation over folds of what all have; of few shots: of the means over draws."""
    found = [{row.method: row.values for row in rows} for rows in folds]
    shared = [method for method in found[0] if all(method in rows for rows in found)]
    return [
        Row(
            method,
            "",
            {name: Value(**spread([rows[method][name].mean for rows in found])) for name in COLUMNS},
        )
        for method in shared
    ]


def _alone(metrics: Mapping[str, float]) -> dict[str, Value]:
    return {name: Value(metrics[name], None) for name in COLUMNS}


def _add(table: Table, fold: str, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        values = [_percent(row.values[name]) for name in COLUMNS]
        first, last = place == 0, place == len(rows) - 1
        table.add_row(fold if first else "", row.method, row.choice, *values, end_section=last)


def _percent(value: Value) -> str:
    return f"{100 * value.mean:.1f}" + ("" if value.sd is None else f" ± {100 * value.sd:.1f}")


def _title(name: str, results: Sequence[Mapping[str, Any]]) -> str:
    data, pooling = results[0]["data"], ", class token" if results[0]["class_token"] else ""
    return f"{name}{pooling} on {data['name']}: test split, {len(data['classes'])} classes, per cent"


def _notes(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What the figures are, the state of the features, and what to be careful with."""
    if results[0]["prototype"]["few"]:
        draws = results[0]["settings"]["draws"]
        yield f"shots: labelled images of each class, of as many patients as can be; ± sd over {draws} draws"
    if len(results) > 1:
        yield f"{len(results)} folds: mean ± sd over folds (of shots: of the means over draws)"
    for result in results:
        fold, found = result["data"]["fold"], result["features"]
        yield (
            f"fold {fold}: features of the training images: RankMe {found['rankme']:.1f} of {found['most']},"
            f" std {found['std']:.2f} (1 = spread, 0 = collapsed)"
        )
        if not result["linear"]["converged"]:
            yield f"careful: fold {fold}: the linear probe's fit stopped at its last iteration"
        for few in result["prototype"]["few"]:
            if few["short"]:
                short = ", ".join(few["short"])
                yield f"careful: fold {fold} trains with fewer than {few['shots']} images of {short}"
        for mark in data_marks(result["data"]["marks"]):
            yield f"careful: fold {fold} is marked: {mark}"
