"""The ledger of numbers: every figure of a report under a LaTeX macro, bound to the runs it was made from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mk11.evaluation.statistics.summary import FoldSummary
from mk11.files import replacing, write_json
from mk11.report.findings import Findings, Row
from mk11.report.macros import PREFIX, camel, names_of
from mk11.report.measured import numbered
from mk11.report.published import Source
from mk11.report.tables.escape import latex
from mk11.report.tables.optimism import optimism_gap
from mk11.report.tables.words import p_value, per_cent, points
from mk11.runs.configurations import Configuration
from mk11.runs.ledger import FINAL

PER_CENT, POINTS, PLAIN, COUNT = "per cent", "percentage points", "plain", "count"
TEXTS = {
    PER_CENT: per_cent,
    POINTS: points,
    PLAIN: lambda value: f"{value:.3f}",
    COUNT: lambda value: f"{value:g}",
}


@dataclass(frozen=True)
class Number:
    """One figure. `value` is a fraction where the unit is per cent or percentage points."""

    macro: str
    value: float
    sd: float | None  # beside a mean over folds
    text: str
    unit: str
    metric: str
    configuration: str
    key: str
    runs: tuple[str, ...]  # identities; empty for published figures
    source: str  # ours, or whose


@dataclass(frozen=True)
class Subject:
    """What numbers are about: the first part of their macros, and what they are bound to."""

    name: str
    configuration: str
    key: str
    runs: tuple[str, ...]
    source: str = "ours"

    def number(
        self, metric: str, value: float, unit: str, *, sd: float | None = None, text: str = ""
    ) -> Number:
        """A number of this subject."""
        told = text or TEXTS[unit](value)
        macro = f"{PREFIX}{self.name}{camel(metric)}"
        return Number(
            macro, value, sd, told, unit, metric, self.configuration, self.key, self.runs, self.source
        )

    def summary(self, metric: str, found: FoldSummary | None, unit: str) -> Iterator[Number]:
        """Mean, standard deviation over folds and over seeds, and `mean ± sd` of a figure over folds."""
        if found is None or found.mean is None:
            return
        yield self.number(metric, found.mean, unit, sd=found.sd)
        if found.seed_sd is not None:
            yield self.number(f"{metric} seed sd", found.seed_sd, PER_CENT if unit == POINTS else unit)
        if found.sd is not None:
            spread = self.number(f"{metric} sd", found.sd, PER_CENT if unit == POINTS else unit)
            yield spread
            text = f"{TEXTS[unit](found.mean)} ± {spread.text}"
            yield self.number(f"{metric} mean sd", found.mean, unit, sd=found.sd, text=text)


def ledger(findings: Findings, published: Sequence[Source]) -> list[Number]:
    """Every figure of a report's tables, each under a macro of its own."""
    configurations = [row.configuration for row in findings.rows]
    names = names_of([one.label for one in configurations], [one.key for one in configurations])
    name_of = {one.key: name for one, name in zip(configurations, names, strict=True)}
    numbers = [
        number
        for row in findings.rows
        for number in _of_row(row, _subject(name_of[row.configuration.key], row.configuration))
    ]
    numbers += _of_comparisons(findings, name_of)
    numbers += [number for source in published for number in _of_source(source)]
    return _apart(numbers)


def write_numbers(numbers: Iterable[Number], out: Path) -> None:
    """Write `numbers.tex`, the macros, and `numbers.json`, what each is and where it comes from."""
    lines, subject = (
        ["% Written by python -m mk11.report --numbers; each number is bound to the runs above it."],
        "",
    )
    for number in (numbers := list(numbers)):
        told = f"% {latex(number.configuration)} ({number.key}, {number.source}): " + " ".join(number.runs)
        lines += [told] if told != subject else []
        subject = told
        lines.append(f"\\newcommand{{\\{number.macro}}}{{{latex(number.text)}}}")
    with replacing(out / "numbers.tex") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_json(out / "numbers.json", {number.macro: asdict(number) for number in numbers})


def remove_numbers(out: Path) -> None:
    """Remove the macros of an earlier report, so that they do not look like part of this one."""
    for name in ("numbers.tex", "numbers.json"):
        (out / name).unlink(missing_ok=True)


def _subject(name: str, *configurations: Configuration) -> Subject:
    runs = dict.fromkeys(
        str(run.record.get("identity")) for one in configurations for run in (numbered(one) or one.finished)
    )
    label = " less ".join(one.label for one in configurations)
    return Subject(name, label, " less ".join(one.key for one in configurations), tuple(runs))


def _of_row(row: Row, subject: Subject) -> Iterator[Number]:
    yield subject.number("folds", len(row.folds), COUNT)
    yield subject.number("seeds", len(row.configuration.seeds), COUNT)
    for metric, summary in row.summaries.items():
        yield from subject.summary(metric, summary, PER_CENT)
        yield from subject.summary(f"{metric} as published", row.as_published.get(metric), PER_CENT)
        yield from subject.summary(f"{metric} gap", optimism_gap(row, metric), POINTS)
    for metric, found in row.intervals.items():
        yield subject.number(f"{metric} low", found.low, PER_CENT)
        yield subject.number(f"{metric} high", found.high, PER_CENT)
    for name, summary in row.calibration.items():
        yield from subject.summary(name, summary, PLAIN)
    for place, measures in (*row.per_class.items(), *row.groups.items()):
        for measure, summary in measures.items():
            yield from subject.summary(f"{place} {measure}", summary, PER_CENT)
    for name, count in row.supports.items():
        yield subject.number(f"{name} images", count, COUNT)
    yield from _of_final(row, subject)


def _of_final(row: Row, subject: Subject) -> Iterator[Number]:
    runs = tuple(str(run.record.get("identity")) for run in row.configuration.finished if run.fold == FINAL)
    final = Subject(subject.name, subject.configuration, subject.key, runs)
    for metric, value in row.final.items():
        if value is not None:
            yield final.number(f"{metric} final", value, PER_CENT)


def _of_comparisons(findings: Findings, name_of: Mapping[str, str]) -> Iterator[Number]:
    for one in findings.compared:
        found, pair = one.result, (one.a, one.b)
        subject = _subject("Less".join(name_of[side.key] for side in pair), *pair)
        yield subject.number(f"{found.metric} difference", found.difference, POINTS)
        yield subject.number(f"{found.metric} difference low", found.interval.low, POINTS)
        yield subject.number(f"{found.metric} difference high", found.interval.high, POINTS)
        if found.detectable is not None:
            yield subject.number(f"{found.metric} detectable", found.detectable, PER_CENT)
        tests = {
            "bootstrap": found.p_bootstrap,
            "t": found.p_t,
            "corrected": found.p_corrected,
            "Holm": one.p_holm,
            "bootstrap Holm": one.p_holm_bootstrap,
        }
        for name, p in tests.items():
            if p is not None:
                yield subject.number(f"{found.metric} p {name}", p, PLAIN, text=p_value(p))


def _of_source(source: Source) -> Iterator[Number]:
    for row in source.rows:
        subject = Subject(camel(f"{source.key} {row.method}"), row.method, source.key, (), source.title)
        figures = {**row.figures, **{f"{name} pr_auc": figure for name, figure in row.per_class.items()}}
        for metric, (mean, sd) in figures.items():
            yield subject.number(f"published {metric}", mean, PER_CENT, sd=sd)
            yield subject.number(f"published {metric} sd", sd, PER_CENT)


def _apart(numbers: Sequence[Number]) -> list[Number]:
    """Numbers whose macros would be the same, such as those of classes `a-b` and `a_b`, get other names."""
    told = names_of([number.macro for number in numbers], [_code(number) for number in numbers])
    named = [PREFIX + name.removeprefix(PREFIX[0].upper() + PREFIX[1:]) for name in told]
    return [Number(**{**asdict(number), "macro": name}) for number, name in zip(numbers, named, strict=True)]


def _code(number: Number) -> str:
    """Hexadecimal digits of all that a number is about."""
    return f"{number.key} {number.metric}".encode().hex()
