"""What a comparison says on the terminal, in sentences and small tables. Metrics are in per cent."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mk11.compare.sides import Side
from mk11.evaluation.statistics.bootstrap import Interval
from mk11.evaluation.statistics.comparison import ALPHA, POWER, Comparison
from mk11.evaluation.statistics.summary import FoldSummary
from mk11.runs.labels import differing
from mk11.terminal import plain

FEW = 10  # patients of a fold below which their bootstrap is known to be too sure of itself


def print_sides(console: Console, pair: Sequence[Side]) -> None:
    """What A and B are."""
    for side in pair:
        seeds = sorted({seed for _, seed in side.test})
        folds = [fold.fold for fold in side.folds]
        say(
            console,
            f"{side.letter} = {side.configuration.label} ({side.configuration.key}): "
            f"{_several('fold', folds)}, {_several('seed', seeds)}",
        )


def print_comparison(
    console: Console, result: Comparison, summaries: Sequence[FoldSummary], *, family: str | None
) -> None:
    """The difference with everything that says how far it can be trusted."""
    table = _table("", "", justify="left", show_header=False)
    for letter, summary in zip("AB", summaries, strict=True):
        table.add_row(f"{result.metric} of {letter}", _mean(summary))
    table.add_row("A - B", f"{signed(result.difference)}  {span(result.interval)}")
    table.add_row("", _resampled(result.interval))
    table.add_row("p, bootstrap", _p(result.p_bootstrap))
    if result.t is not None:
        freedom = len(result.per_fold) - 1
        table.add_row(
            "p, paired t-test", f"{_p(result.p_t)}  (t({freedom}) = {result.t:.2f}; too optimistic)"
        )
    if result.corrected_t is not None:
        table.add_row("p, corrected t-test", f"{_p(result.p_corrected)}  (t = {result.corrected_t:.2f})")
    if result.detectable is not None:
        told = f"{percent(result.detectable)}  (corrected test, alpha {ALPHA:g}, power {POWER:g})"
        table.add_row("smallest detectable", told)
    console.print(table)
    for line in (conclusion(result), _declared(family), *_warnings(result)):
        say(console, line)


def conclusion(result: Comparison) -> str:
    """One sentence: does the interval leave out 0, and does the test over folds agree?"""
    low, high = result.interval.low, result.interval.high
    if low <= 0 <= high:
        hidden = (
            ""
            if result.detectable is None
            else (f", and a difference below {percent(result.detectable)} could hardly have been found")
        )
        return f"The interval includes 0: these images do not tell A from B{hidden}."
    better = "A" if result.difference > 0 else "B"
    if result.p_corrected is None:
        return f"The interval leaves out 0 in favour of {better}, for the networks that were trained."
    if result.p_corrected < ALPHA:
        return f"{better} is better: the interval leaves out 0, and the corrected test over folds agrees."
    return (
        f"The interval leaves out 0 in favour of {better}, but the corrected test over folds does not agree: "
        "other training images could turn it."
    )


def print_folds(console: Console, result: Comparison, summaries: Sequence[FoldSummary]) -> None:
    """Both values in every fold."""
    table = _table("fold", "A", "B", "A - B")
    for fold in result.folds:
        values = [summary.values.get(fold) for summary in summaries]
        table.add_row(str(fold), *map(percent, values), signed(result.per_fold.get(fold)))
    console.print(table)


def print_settings(console: Console, pair: Sequence[Side]) -> None:
    """The config keys that differ, and the commit where it does."""
    settings = [_settings(side) for side in pair]
    keys = differing(settings)
    if not keys:
        say(console, "No config key differs.")
        return
    table = _table("key that differs", "A", "B", justify="left")
    for key in keys:
        table.add_row(Text(plain(key)), *(Text(plain(_value(own.get(key, "-")))) for own in settings))
    console.print(table)
    if "data.set" in keys:
        say(console, "The data differ in more than these test images: A and B may have learnt from others.")


def percent(value: float | None) -> str:
    """A fraction in per cent."""
    return "-" if value is None else f"{100 * value:.2f}"


def signed(value: float | None) -> str:
    """A difference of fractions in per cent, with its sign."""
    return "-" if value is None else f"{100 * value:+.2f}"


def span(interval: Interval) -> str:
    """The ends of an interval about a difference."""
    return f"[{100 * interval.low:+.2f}, {100 * interval.high:+.2f}]"


def say(console: Console, line: str) -> None:
    """A line of text as it is."""
    console.print(Text(plain(line)), highlight=False, soft_wrap=not console.is_terminal)


def _table(first: str, *others: str, justify: str = "right", show_header: bool = True) -> Table:
    table = Table(box=box.SIMPLE_HEAD if show_header else None, show_header=show_header, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    return table


def _settings(side: Side) -> Mapping[str, object]:
    commits = {str(run.record.get("commit"))[:12] for run in side.configuration.finished}
    return {**side.configuration.settings, "commit": ", ".join(sorted(commits))}


def _value(value: object) -> str:
    """Whole numbers without the point that their comparison gives them."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _several(word: str, numbers: Sequence[int | str]) -> str:
    return f"{word}{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _mean(summary: FoldSummary) -> str:
    spread = "" if summary.sd is None else f" ± {percent(summary.sd)} over {summary.folds} folds"
    seeds = "" if summary.seed_sd is None else f"; ± {percent(summary.seed_sd)} over seeds"
    return f"{percent(summary.mean)}{spread}{seeds}"


def _resampled(interval: Interval) -> str:
    units = _units(interval.units, interval.unit)
    told = f"{interval.level:.0%} bootstrap over {units}, {interval.draws} draws"
    return f"{told}; {interval.dropped} times a class had no image" if interval.dropped else told


def _units(count: int, unit: str) -> str:
    return f"{count} {unit if count == 1 else ' or '.join(f'{one}s' for one in unit.split(' or '))}"


def _p(value: float | None) -> str:
    return "-" if value is None else "below 0.001" if value < 0.001 else f"{value:.3f}"


def _declared(family: str | None) -> str:
    if family is None:
        return "Not declared in advance; p-values are not adjusted for other comparisons."
    return f"Declared in advance in analysis {family}; mk11.report adjusts p over all its comparisons (Holm)."


def _warnings(result: Comparison) -> list[str]:
    told = []
    if len(result.folds) == 1:
        told.append("One fold: nothing is said about other training images, and no t-test is possible.")
    if result.interval.fewest < FEW:
        told.append(
            f"A fold has only {_units(result.interval.fewest, result.interval.unit)}: the interval is too "
            "narrow, and its p too small."
        )
    return told
