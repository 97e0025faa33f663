"""Comparisons: the difference first, then what it could have been, then the tests."""

from mk11.evaluation.statistics.patients import in_words
from mk11.report.findings import Compared, Findings
from mk11.report.tables.table import Cell, Part, Table
from mk11.report.tables.words import NONE, TITLES, p_value, points

COLUMNS = (
    "Compared", "Metric", "Difference", "Interval", "Detectable", "Bootstrap p", "Bootstrap p, Holm",
    "Paired t p", "Corrected t p", "Corrected t p, Holm", "Folds", "Resampled", "Declared in",
)  # fmt: skip
NOT_DECLARED = "not declared in advance"
NOTES = (
    "Difference: first less second, in percentage points, averaged over folds, with the percentile interval "
    "of the paired bootstrap of each fold's groups, which are patients, slides or fields (images where no "
    "group is known; groups in several folds are drawn once for all): the primary answer.",
    "Detectable: the smallest difference that the corrected t-test would have found on these folds with "
    "power 0.8 at a two-sided alpha of 0.05; smaller true differences can stay unseen.",
    "Paired t: as papers report it, too optimistic, since training sets overlap. Corrected t: after Nadeau "
    "and Bengio. Holm: the p-values of the bootstrap, and by themselves those of the corrected t-test, "
    "adjusted over all comparisons that the analysis declares, made or not.",
)


def comparison_table(findings: Findings) -> Table:
    """Declared comparisons above, others below."""
    declared = [one for one in findings.compared if one.family is not None]
    others = [one for one in findings.compared if one.family is None]
    parts = [
        Part(title, [_row(one) for one in found])
        for title, found in (("Declared in advance", declared), (NOT_DECLARED.capitalize(), others))
        if found
    ]
    refused = [f"Not compared: {sentence}" for sentence in findings.refused]
    return Table("comparisons", "Comparisons on the same folds", COLUMNS, parts, [*NOTES, *refused], left=2)


def _row(one: Compared) -> list[Cell]:
    found = one.result
    return [
        Cell(f"{one.a.label} less {one.b.label}", key=f"{one.a.key} less {one.b.key}"),
        Cell(TITLES[found.metric]),
        Cell(points(found.difference)),
        Cell(f"[{points(found.interval.low)}, {points(found.interval.high)}]"),
        Cell(NONE if found.detectable is None else f"{100 * found.detectable:.2f}"),
        *(Cell(p_value(p)) for p in _p_values(one)),
        Cell(str(len(found.folds))),
        Cell(in_words(found.unit)),
        Cell(one.family or NOT_DECLARED),
    ]


def _p_values(one: Compared) -> tuple[float | None, ...]:
    found = one.result
    return found.p_bootstrap, one.p_holm_bootstrap, found.p_t, found.p_corrected, one.p_holm
