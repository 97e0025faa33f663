"""All configurations at a glance: each metric's mean over folds, its spread, and the folds themselves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mk11.evaluation.figures.canvas import BLUE, INK, page
from mk11.evaluation.figures.panels import legend_below
from mk11.evaluation.statistics.summary import FoldSummary
from mk11.report.figures.looks import NOTE, short_names, titled, wrapped
from mk11.report.findings import Row

MAIN = ("accuracy", "f1_macro", "pr_auc")
LINE, NAMES = 0.13, 2.1  # inches: height of a line of type, width of the names
WIDTH = 32  # characters of a line of a name
FOLD: dict[str, Any] = {
    "marker": "o", "linestyle": "none", "color": BLUE, "markersize": 3, "markerfacecolor": "none",
    "markeredgewidth": 0.6, "zorder": 3,
}  # fmt: skip
ABOVE, BELOW = 0.17, 0.13  # folds lie above the middle of their line, mean and spread below it


def shown_metrics(primary: str) -> list[str]:
    """The main metrics, the primary one first."""
    return [primary, *(name for name in MAIN if name != primary)]


def overview(rows: Sequence[Row], path: Path, *, primary: str, note: str) -> None:
    """Draw one line a configuration, in the order given, and one panel a metric, the primary one first.

    A dot is the mean over folds, the bar one sample standard deviation to either side, and each small ring a
    fold. Axes do not start at zero.
    """
    metrics = shown_metrics(primary)
    names = _names(rows)
    pitch = max(0.22, LINE * max(name.count("\n") + 1 for name in names) + 0.05)
    size = {"width": 7.2, "height": pitch * len(rows) + 0.9 + 0.15 * len(note.splitlines())}
    with page(path, **size, title="Configurations over folds", pdf=True) as figure:
        if note:
            figure.suptitle(note, **NOTE)
        panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        for axes, metric in zip(panels, metrics, strict=True):
            for line, row in enumerate(rows):
                draw_summary(axes, row.summaries.get(metric), line)
            axes.set_title(f"{titled(metric)} (primary)" if metric == primary else titled(metric))
            axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
            axes.grid()
        panels[0].set(ylim=(len(rows) - 0.5, -0.5), yticks=range(len(rows)), yticklabels=names)
        panels[0].tick_params(axis="y", length=0)
        legend_below(figure, panels, columns=3)


def draw_summary(axes: Axes, summary: FoldSummary | None, line: float) -> None:
    """Mean, standard deviation and folds of one metric, along the x axis at the height `line`."""
    if summary is None or summary.mean is None:
        return
    values = list(summary.values.values())
    axes.plot(values, [line - ABOVE] * len(values), label="a fold", **FOLD)
    if summary.sd is not None:
        ends = [summary.mean - summary.sd, summary.mean + summary.sd]
        axes.plot(ends, [line + BELOW] * 2, label="± sd over folds", color=BLUE, linewidth=1.6)
    axes.plot(summary.mean, line + BELOW, "o", color=INK, markersize=4, label="mean over folds", zorder=4)


def _names(rows: Sequence[Row]) -> list[str]:
    names = short_names([row.configuration for row in rows], limit=2 * WIDTH)
    return [
        wrapped(names[row.configuration.key], width=WIDTH)
        + ("" if row.complete else f"\n{len(row.folds)} of {len(row.configuration.expected_folds)} folds")
        for row in rows
    ]
