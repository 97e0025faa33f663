"""All figures of a report: each as SVG with a PDF of the same name beside it."""

import re
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from mk11.errors import UserError
from mk11.evaluation.statistics.sets import load_folds
from mk11.report.figures.choice import class_images, leading, of_one_state, ranked
from mk11.report.figures.classes import class_bars
from mk11.report.figures.curves import precision_recall_over_folds
from mk11.report.figures.learning import learning_over_folds, read_histories
from mk11.report.figures.looks import file_stem, short_names
from mk11.report.figures.matrices import difference_of_confusions, pooled_confusion
from mk11.report.figures.overview import overview
from mk11.report.figures.sizes import class_sizes
from mk11.report.figures.trust import coverage_risk_over_folds, reliability_over_folds
from mk11.report.findings import Compared, Findings, Row
from mk11.runs.configurations import Configuration
from mk11.runs.states import state_title

LIMIT = 8  # configurations with figures of their own, as many as the page has room for; and comparisons
LINES = 40  # configurations in the overview
TOGETHER = 5  # configurations in one figure of classes
STATES = 4  # states of the data with figures of their own
NAME = 64  # characters of a configuration above its figure
MEASURE = "pr_auc"  # of one class
OF_ONE = ("confusion", "precision_recall", "coverage_risk", "reliability", "learning")

OURS = re.compile(r"(overview|class_pr_auc|class_size)(-\d+)?|(difference|" + "|".join(OF_ONE) + r")-[\w-]+")

Drawing = tuple[str, Callable[[Path], None]]  # a figure's name, and what draws it


def write_figures(
    findings: Findings,
    out: Path,
    *,
    limit: int = LIMIT,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Path]:
    """Draw every figure of a report into `out`; returns name -> SVG, in the order in which to show them.

    The names are `overview`, `class_pr_auc`, `class_size` (with `-2` and so on where there are several states
    of the data), `difference-<key a>-<key b>` for each comparison, and for each configuration
    `confusion-<key>`, `precision_recall-<key>`, `coverage_risk-<key>`, `reliability-<key>` and
    `learning-<key>`. Files of such names that are not drawn anew, such as those of a configuration that is
    gone, are removed: none may look like part of this report.

    Args:
        findings: What was found.
        out: The folder, made if need be.
        limit: How many configurations, and how many comparisons, get figures of their own: the baseline and
            the compared ones first, then the best.
        tell: Takes one sentence where files cannot be read; None prints it to standard error.
    """
    drawn: dict[str, Path] = {}
    for name, draw in drawings(findings, limit=limit, tell=tell or partial(print, file=sys.stderr)):
        path = out / f"{name}.svg"
        draw(path)
        drawn[name] = path
    _remove_others(out, drawn)
    return drawn


def _remove_others(out: Path, drawn: Collection[str]) -> None:
    for path in out.glob("*.*"):
        if path.suffix in (".svg", ".pdf") and path.stem not in drawn and OURS.fullmatch(path.stem):
            path.unlink()


def drawings(findings: Findings, *, limit: int, tell: Callable[[str], None]) -> Iterator[Drawing]:
    """Names of figures and what draws them, one configuration's predictions in memory at a time."""
    rows = [row for row in findings.rows if row.folds]  # one with a final run alone has no folds to draw
    if not rows:
        return
    yield from _of_all(findings, rows)
    pairs = {(found.a.key, found.b.key): found for found in findings.compared}  # a pair may have two metrics
    for compared in list(pairs.values())[:limit]:
        yield from _or_tell(_of_comparison(compared), tell)
    chosen = leading(findings, rows)[:limit]
    names = short_names([row.configuration for row in chosen], limit=NAME)
    for row in chosen:
        name = names[row.configuration.key]
        yield from _or_tell(_of_predictions(row, name), tell)
        yield from _or_tell(_of_history(row.configuration, name, findings.primary), tell)


def _of_all(findings: Findings, rows: Sequence[Row]) -> Iterator[Drawing]:
    """Of the configurations on each state of the data: others do not belong beside them."""
    states = of_one_state(leading(findings, rows))
    heads = [state_title(state[0].configuration) if len(states) > 1 else "" for state in states]
    told = list(enumerate(zip(states[:STATES], heads[:STATES], strict=True), 1))
    for number, (state, head) in told:
        best, note = ranked(state, findings.primary)[:LINES], _note(head, LINES, state)
        draw = partial(overview, best, primary=findings.primary, note=note)
        yield _numbered("overview", number), draw
    for number, (state, head) in told:
        note = _note(head, TOGETHER, state)
        yield _numbered(f"class_{MEASURE}", number), partial(class_bars, state[:TOGETHER], MEASURE, note=note)
    for number, (state, head) in told:
        (unit, sizes), note = class_images(state), _note(head, TOGETHER, state)
        points = partial(class_sizes, state[:TOGETHER], sizes, MEASURE, unit=unit, note=note)
        yield _numbered("class_size", number), points


def _of_comparison(compared: Compared) -> Iterator[Drawing]:
    names = short_names([compared.a, compared.b], limit=NAME)
    a, b = load_folds(compared.a), load_folds(compared.b)
    stem = f"difference-{file_stem(compared.a.key)}-{file_stem(compared.b.key)}"
    yield stem, partial(difference_of_confusions, a, b, names=(names[compared.a.key], names[compared.b.key]))


def _of_predictions(row: Row, name: str) -> Iterator[Drawing]:
    test = load_folds(row.configuration)
    key = file_stem(row.configuration.key)
    areas = {subtype: measures["pr_auc"] for subtype, measures in row.per_class.items()}
    yield f"confusion-{key}", partial(pooled_confusion, test, name=name)
    yield f"precision_recall-{key}", partial(precision_recall_over_folds, test, areas, name=name)
    area = row.calibration.get("aurc")
    yield f"coverage_risk-{key}", partial(coverage_risk_over_folds, test, area, name=name)
    val = load_folds(row.configuration, split="val")
    yield f"reliability-{key}", partial(reliability_over_folds, test, val, row.calibration, name=name)


def _of_history(configuration: Configuration, name: str, primary: str) -> Iterator[Drawing]:
    histories, best, monitor = read_histories(configuration)
    metrics = list(dict.fromkeys(metric for metric in (monitor, primary) if metric != "loss"))
    draw = partial(learning_over_folds, histories, best, metrics, name=name)
    yield f"learning-{file_stem(configuration.key)}", draw


def _or_tell(found: Iterator[Drawing], tell: Callable[[str], None]) -> Iterator[Drawing]:
    """The drawings up to the first file that cannot be read, which is told."""
    try:
        yield from found
    except UserError as error:
        tell(f"figures were left out: {error}")


def _note(head: str, most: int, rows: Sequence[Row]) -> str:
    """What stands above a figure that shows at most so many of the rows."""
    part = f"{most} of {len(rows)} configurations" if len(rows) > most else ""
    return "\n".join(line for line in (head, part) if line)


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
