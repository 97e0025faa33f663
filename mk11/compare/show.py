"""What a comparison says on the terminal, in sentences and small tables. Metrics are in per cent."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mk11.compare.sentences import cautions, conclusion, declaration
from mk11.compare.sides import Declared, Side
from mk11.compare.words import mean, p_value, percent, resampled, several, signed, span
from mk11.evaluation.statistics.comparison import ALPHA, POWER, Comparison
from mk11.evaluation.statistics.summary import FoldSummary
from mk11.runs.labels import differing
from mk11.runs.marks import marks_of
from mk11.terminal import plain


def print_sides(console: Console, pair: Sequence[Side]) -> None:
    """What A and B are, and what is not clean about either."""
    for side in pair:
        seeds = sorted({seed for _, seed in side.test})
        folds = [fold.fold for fold in side.folds]
        say(
            console,
            f"{side.letter} = {side.configuration.label} ({side.configuration.key}): "
            f"{several('fold', folds)}, {several('seed', seeds)}",
        )
    for side in pair:
        for mark in marks_of(side.runs):
            say(console, f"careful: {side.letter} is marked: {mark}")


def print_comparison(
    console: Console, result: Comparison, summaries: Sequence[FoldSummary], *, declared: Declared | None
) -> None:
    """The difference with everything that says how far it can be trusted."""
    table = _table("", "", justify="left", show_header=False)
    for letter, summary in zip("AB", summaries, strict=True):
        table.add_row(Text(plain(f"{result.metric} of {letter}")), mean(summary))
    table.add_row("A - B", f"{signed(result.difference)}  {span(result.interval)}")
    table.add_row("", resampled(result.interval))
    table.add_row("p, bootstrap", p_value(result.p_bootstrap))
    if result.t is not None:
        freedom = len(result.per_fold) - 1
        table.add_row(
            "p, paired t-test", f"{p_value(result.p_t)}  (t({freedom}) = {result.t:.2f}; too optimistic)"
        )
    if result.corrected_t is not None:
        table.add_row("p, corrected t-test", f"{p_value(result.p_corrected)}  (t = {result.corrected_t:.2f})")
    if result.detectable is not None:
        told = f"{percent(result.detectable)}  (corrected test, alpha {ALPHA:g}, power {POWER:g})"
        table.add_row("smallest detectable", told)
    console.print(table)
    for line in (conclusion(result), declaration(declared, result.metric), *cautions(result)):
        say(console, line)


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


def say(console: Console, line: str) -> None:
    """A line of text as it is."""
    console.print(Text(plain(line)), soft_wrap=not console.is_terminal)


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
