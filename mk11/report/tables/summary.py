"""The table of results: mean and standard deviation over folds, as in the papers."""

from collections.abc import Sequence

from mk11.evaluation.statistics.bootstrap import Interval
from mk11.evaluation.statistics.patients import in_words
from mk11.report.findings import Compared, Findings, Row
from mk11.report.published import Source
from mk11.report.tables.columns import Column, figure_column, label_columns, ours, theirs
from mk11.report.tables.optimism import HOW_PUBLISHED, PAPERS, optimism_columns
from mk11.report.tables.table import NONE, Cell, Notes, Table
from mk11.report.tables.words import TITLES, per_cent

PRINTED = ("accuracy", "balanced_accuracy", "f1_weighted", "f1_macro", "pr_auc", "average_precision_macro")
SIGNIFICANT = 0.05
STAR = "*"

MEANING = (
    "Mean ± sample standard deviation over folds, of the test images, at the epoch that is best on "
    "validation. Seeds are averaged within their fold first."
)
BOLD = (
    "Bold: the best of its column among rows on the same data, with all folds and with no mark that the "
    "others lack."
)


def summary_table(
    findings: Findings, published: Sequence[Source], *, as_published: bool, metrics: Sequence[str] = PRINTED
) -> Table:
    """Every row with folds; published figures below, never in one contest with ours."""
    rows, notes = [row for row in findings.rows if row.folds], Notes()
    columns = label_columns(rows, notes)
    for metric in dict.fromkeys((*metrics, findings.primary)):
        columns.append(_figures(metric, findings, as_published=as_published))
        columns += optimism_columns(metric) if as_published and metric in PAPERS else []
    columns += _intervals(findings) + _seed_spread(rows, findings.primary)
    parts = [*ours(rows, columns), *theirs(published, columns)]
    explained = [
        MEANING,
        BOLD,
        *([HOW_PUBLISHED] if as_published else []),
        *_stars(findings),
        *_units(findings),
    ]
    explained += [note for source in published for note in source.notes]
    title = "Test figures over folds, in per cent"
    return Table("summary", title, tuple(one.title for one in columns), parts, [*explained, *notes.told()])


def starred(compared: Sequence[Compared]) -> list[Compared]:
    """Declared comparisons in which a row differs from the baseline, by both tests, Holm-adjusted."""
    return [one for one in compared if _small(one.p_holm_bootstrap) and _small(one.p_holm)]


def _small(p: float | None) -> bool:
    return p is not None and p < SIGNIFICANT


def _figures(metric: str, findings: Findings, *, as_published: bool) -> Column:
    """One metric, with a star behind rows that differ from the declared baseline in it.

    Published figures of best validation epochs stand in the column of such figures, if there is one.
    """
    stars = {one.a.key for one in starred(findings.compared) if one.result.metric == metric}
    plain = figure_column(
        TITLES[metric],
        lambda row: row.summaries[metric],
        lambda row: None if as_published and row.best_validation else row.figures.get(metric),
    )

    def cell(row: Row) -> Cell:
        return Cell(plain.cell(row).text, raised=(STAR,) if row.configuration.key in stars else ())

    return Column(plain.title, cell, contest=plain.contest, published=plain.published)


def _intervals(findings: Findings) -> list[Column]:
    """The bootstrap interval of the primary metric, if it was made."""
    primary = findings.primary
    levels = {row.intervals[primary].level for row in findings.rows if primary in row.intervals}
    return [
        Column(
            f"{TITLES[primary]}, {100 * level:g}% interval",
            lambda row: Cell(interval_text(row.intervals.get(primary))),
        )
        for level in levels
    ]


def interval_text(found: Interval | None) -> str:
    """[71.20, 75.61], with what was resampled where it was not groups."""
    if found is None:
        return NONE
    told = f"[{per_cent(found.low)}, {per_cent(found.high)}]"
    return told if found.unit == "group" else f"{told} ({in_words(found.unit)})"


def _seed_spread(rows: Sequence[Row], primary: str) -> list[Column]:
    """The spread over seeds, which is no spread over folds, where there are several."""
    if all(row.summaries[primary].seed_sd is None for row in rows):
        return []
    return [
        Column(
            f"{TITLES[primary]}, sd over seeds", lambda row: Cell(per_cent(row.summaries[primary].seed_sd))
        )
    ]


def _stars(findings: Findings) -> list[str]:
    """What a star means: against which baseline, in which metric, adjusted over how many comparisons."""
    told = {
        f"{STAR} differs from {one.b.label} in {TITLES[one.result.metric]}: p < {SIGNIFICANT} both in the "
        f"paired bootstrap and in the paired t-test over folds with the Nadeau-Bengio correction, each "
        f"Holm-adjusted over the {one.declared} comparisons that the analysis {one.family} declares"
        for one in starred(findings.compared)
    }
    tested = [one for one in findings.compared if one.p_holm is not None]
    if tested and not told:
        return [
            "No declared difference was shown by both tests after Holm's adjustment, which does not show "
            "that there is none (see the comparisons)."
        ]
    return sorted(told)


def _units(findings: Findings) -> list[str]:
    found = [row.intervals[findings.primary] for row in findings.rows if findings.primary in row.intervals]
    if not found:
        return []
    words = {"image": "images (no group is known)", "group or image": "groups, and images of unknown groups,"}
    units = sorted({words.get(one.unit, in_words(one.unit)) for one in found})
    fewest = min(one.fewest for one in found)
    return [
        f"Intervals: bootstrap over {' or '.join(units)} within each fold, {found[0].draws} draws; "
        f"the smallest fold has {fewest} to draw from. Groups in several folds are drawn once for all."
    ]
