"""From folders of runs to the findings of a report."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mk11.errors import UserError
from mk11.metrics.final import OVERALL
from mk11.report.cache import Cache
from mk11.report.compared import Made, declared_comparisons, typed_comparisons, undone
from mk11.report.declared import primary_metric
from mk11.report.findings import Findings, Row
from mk11.report.measured import Measured, numbered
from mk11.report.rows import rows_of
from mk11.runs.configurations import Configuration, group_runs, mixed_data, repeated
from mk11.runs.ledger import Run, find_runs
from mk11.runs.states import unmixed

MOST_INTERVALS = 40  # of so many rows at most every one gets an interval: each takes seconds
STAGE = "train"  # of the runs that are rows: others have no test figures

Watch = Callable[[Sequence[Row], str], Iterable[Row]]


def find(
    places: Sequence[Path],
    *,
    compare: Sequence[str],
    metric: str | None,
    draws: int,
    seed: int,
    level: float,
    intervals: bool,
    cache: Path,
    watch: Watch,
) -> Findings:
    """Everything that a report shows of the runs under some folders.

    Args:
        places: The folders.
        compare: Names of configurations: each of the others is compared with the first.
        metric: What to judge by; None for the declared primary metric.
        draws: Of the bootstrap.
        seed: Of the draws.
        level: Of the intervals.
        intervals: Whether to make what takes long: intervals, calibration, declared comparisons.
        cache: File that keeps their results.
        watch: Shows how far work on the rows has come.

    Raises:
        UserError: A place does not exist or holds no run; a name means none or several configurations.
    """
    runs, problems = _training_runs(places)
    configurations, warnings = _configurations(runs)
    primary, told = _metric(metric, configurations)
    measured = Measured(Cache(cache), draws=draws, seed=seed, level=level)
    rows, made = rows_of(configurations), Made()
    try:
        if intervals:
            made = declared_comparisons(configurations, measured)
        else:
            made.warnings += undone(configurations)
        typed_comparisons(compare, [row.configuration for row in rows], primary, measured, made)
        if intervals:
            asked = _with_interval(rows, made)
            rows = [_measured(row, primary, measured, made, asked) for row in watch(rows, "intervals")]
    finally:
        measured.cache.save()  # of what was computed before an interruption too
    return Findings(
        rows=rows,
        compared=made.compared,
        refused=made.refused,
        runs=runs,
        problems=problems,
        warnings=[*warnings, *told, *made.warnings, *_marks(rows)],
        primary=primary,
        unfinished=[one for one in configurations if not one.finished],
    )


def _metric(asked: str | None, configurations: Sequence[Configuration]) -> tuple[str, list[str]]:
    """What to judge by, and a warning where the runs do not agree on it."""
    primary, told = primary_metric(configurations) if asked is None else (asked, [])
    if primary not in OVERALL:
        raise UserError(f"the primary metric must be one of {', '.join(OVERALL)}, but is {primary}")
    return primary, told


def _configurations(runs: Sequence[Run]) -> tuple[list[Configuration], list[str]]:
    """What may be averaged, and what to be careful with."""
    configurations, warnings = unmixed(group_runs(runs))
    return configurations, [*warnings, *mixed_data(configurations), *repeated(configurations)]


def _marks(rows: Sequence[Row]) -> list[str]:
    """What is not clean, row by row."""
    return [
        *(f"{row.label}: {mark}" for row in rows for mark in row.marks),
        *(f"{row.label}, on the images locked away: {mark}" for row in rows for mark in row.final_marks),
    ]


def _training_runs(places: Sequence[Path]) -> tuple[list[Run], list[str]]:
    runs, problems = find_runs(places)
    runs = [run for run in runs if run.record["stage"] == STAGE]
    if not runs and not problems:
        told = ", ".join(map(str, places))
        raise UserError(f"RUNS must hold run folders of the stage {STAGE}, but under {told} there are none")
    return runs, problems


def _with_interval(rows: Sequence[Row], made: Made) -> set[str]:
    """Keys of the rows that get an interval: all, or of very many those that are compared."""
    if len(rows) <= MOST_INTERVALS:
        return {row.configuration.key for row in rows}
    compared = {side.key for one in made.compared for side in (one.a, one.b)}
    made.warnings.append(
        f"there are {len(rows)} configurations, more than {MOST_INTERVALS}: intervals are made only for the "
        f"{len(compared)} that are compared, as declared or by --compare"
    )
    return compared


def _measured(row: Row, primary: str, measured: Measured, made: Made, asked: Collection[str]) -> Row:
    """The row with its calibration and, if it is asked for, its interval, as far as they can be had."""
    if not numbered(row.configuration):
        return row
    try:
        row = replace(row, calibration=measured.calibration(row.configuration))
        if row.configuration.key not in asked:
            return row
        return replace(row, intervals={primary: measured.interval(row.configuration, primary)})
    except UserError as error:
        made.warnings.append(f"{row.label} has no interval: {error}")
        return row
