"""Classes one by one: bars of a measure, one panel a configuration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from mk11.evaluation.figures.canvas import GREY, INK, VERMILION, page, plain
from mk11.evaluation.figures.panels import legend_below
from mk11.evaluation.statistics.summary import FoldSummary
from mk11.report.figures.looks import NOTE, short_names, titled, wrapped
from mk11.report.findings import Row

LONGEST_NAME = 26  # characters of a class
NAME = 48  # characters of a configuration
TITLE = 16  # characters of a line above the narrowest panels
HALF = 0.17  # of a class, from the middle of its bar to the spread, and to the folds
PITCH = 0.2  # inches a class
REFERENCE: dict[str, Any] = {
    "marker": "|", "linestyle": "none", "color": VERMILION, "markersize": 9, "markeredgewidth": 1.4,
    "zorder": 5, "label": "mean of the first panel",
}  # fmt: skip
BAR = "#A6CFE8"  # pale, so that what lies on it stands out in grey as well
Summaries = Mapping[str, FoldSummary]  # class -> over folds


def class_bars(rows: Sequence[Row], measure: str, path: Path, *, note: str) -> None:
    """Draw one panel a configuration and one bar a class: mean, standard deviation and folds of a measure.

    A tick repeats the first configuration's mean in the other panels.
    """
    classes = rows[0].configuration.classes
    names = short_names([row.configuration for row in rows], limit=NAME)
    titles = [wrapped(names[row.configuration.key], width=max(TITLE, 80 // len(rows))) for row in rows]
    lines = max(title.count("\n") + 1 for title in titles)
    size = {
        "width": 7.2 if len(rows) > 2 else 3.2 + 1.8 * len(rows),
        "height": PITCH * len(classes) + 0.14 * lines + 0.85,
    }
    with page(path, **size, title=f"{titled(measure)} of each class", pdf=True) as figure:
        figure.suptitle(note, **NOTE)
        panels = figure.subplots(1, len(rows), sharex=True, sharey=True, squeeze=False)[0]
        for axes, row, title in zip(panels, rows, titles, strict=True):
            summaries = {name: row.per_class[name][measure] for name in classes}
            _draw_bars(axes, summaries)
            axes.set_title(title, size=7.5)
            axes.set_xlabel(titled(measure))
            if axes is not panels[0]:
                _mark_reference(axes, {name: rows[0].per_class[name][measure] for name in classes})
        panels[0].set(
            xlim=(0, 1), xticks=(0, 0.5, 1), xticklabels=("0", "0.5", "1"), ylim=(len(classes) - 0.5, -0.5)
        )
        panels[0].set_yticks(range(len(classes)), [plain(name, limit=LONGEST_NAME) for name in classes])
        legend_below(figure, panels, columns=4)


def _draw_bars(axes: Axes, summaries: Summaries) -> None:
    known = [(line, found) for line, found in enumerate(summaries.values()) if found.mean is not None]
    means = [found.mean or 0.0 for _, found in known]
    axes.barh([line for line, _ in known], means, height=0.72, color=BAR, label="mean over folds")
    spread = [(line, found.mean, found.sd) for line, found in known if found.sd is not None]
    if spread:
        lines, centres, sds = zip(*spread, strict=True)
        look: dict[str, Any] = {"fmt": "none", "ecolor": INK, "elinewidth": 1.0, "capsize": 2, "zorder": 4}
        axes.errorbar(centres, np.array(lines) - HALF, xerr=sds, label="± sd", **look)
    folds = [(value, line + HALF) for line, found in known for value in found.values.values()]
    if len(folds) > len(known):
        axes.plot(*zip(*folds, strict=True), "o", color=INK, markersize=1.6, label="a fold", clip_on=False)
    for line, found in enumerate(summaries.values()):
        if found.mean is None:
            axes.text(0.02, line, "undefined", color=GREY, va="center", size=6.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def _mark_reference(axes: Axes, summaries: Summaries) -> None:
    known = [(line, found.mean) for line, found in enumerate(summaries.values()) if found.mean is not None]
    if known:
        lines, means = zip(*known, strict=True)
        axes.plot(means, lines, **REFERENCE)
