"""A measure of each class against its number of images: how the long tail fares."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from mk11.evaluation.figures.canvas import GREY, page, plain
from mk11.evaluation.figures.panels import legend_below
from mk11.report.figures.looks import LOOKS, NOTE, short_names, titled
from mk11.report.findings import Row

LONGEST_NAME = 26  # characters of a class
NAME = 48  # characters of a configuration
STEP = 1.004  # factor between configurations' places, so that equal values do not cover each other
GAP = 0.027  # between names above the figure, as a share of its width
NARROWEST = 5.0  # ratio of the ends of the axis
WIDE = 20  # from this ratio of the largest to the smallest size on, fewer ticks will do
LEADER = {"arrowstyle": "-", "color": GREY, "linewidth": 0.4, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0)}
SLANTED: dict[str, Any] = {
    "rotation": 60, "ha": "left", "va": "bottom", "rotation_mode": "anchor", "size": 7,
}  # fmt: skip
POINT: dict[str, Any] = {
    "linestyle": "none", "markersize": 4.5, "markeredgecolor": "white", "markeredgewidth": 0.4,
    "elinewidth": 0.8,
}  # fmt: skip


def class_sizes(
    rows: Sequence[Row], sizes: Mapping[str, float], measure: str, path: Path, *, unit: str, note: str
) -> None:
    """Draw a measure of each class against its number of images: how the long tail fares.

    Args:
        rows: At most as many configurations as there are looks; one point a class each, with its spread.
        sizes: Images of each class; those without any are left out.
        measure: Of one class, such as `pr_auc`.
        path: The SVG; a PDF is written beside it.
        unit: What `sizes` counts.
        note: Stands above the figure.
    """
    names = short_names([row.configuration for row in rows], limit=NAME)
    present = {name: size for name, size in sizes.items() if size > 0}
    with page(
        path,
        width=7.2,
        height=4.2 + 0.16 * len(rows),
        title=f"{titled(measure)} by size of the class",
        pdf=True,
    ) as figure:
        figure.suptitle(note, **NOTE)
        axes = figure.subplots()
        for index, (row, look) in enumerate(zip(rows, LOOKS, strict=False)):
            shift = STEP ** (index - (len(rows) - 1) / 2)
            _draw_points(
                axes, present, row, measure, look=look, shift=shift, name=names[row.configuration.key]
            )
        axes.set(xlabel=f"{unit} (logarithmic)", ylabel=f"{titled(measure)}: mean ± sd over folds")
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -0.02), min(high, 1.02))
        _scale(axes, list(present.values()))
        _name_classes(axes, present)
        legend_below(figure, [axes], columns=1 if len(rows) < 4 else 2)


def apart(positions: Float[np.ndarray, " n"], gap: float) -> Float[np.ndarray, " n"]:
    """Ascending positions moved as little as needed (least squares) to be at least `gap` apart.

    Subtracting gap x rank turns it into isotonic regression, solved by pooling adjacent violators.
    """
    blocks: list[tuple[float, int]] = []
    for target in positions - gap * np.arange(len(positions)):
        mean, weight = float(target), 1
        while blocks and blocks[-1][0] > mean:
            earlier, count = blocks.pop()
            mean, weight = (mean * weight + earlier * count) / (weight + count), weight + count
        blocks.append((mean, weight))
    return np.repeat([mean for mean, _ in blocks], [count for _, count in blocks]) + gap * np.arange(
        len(positions)
    )


def _draw_points(
    axes: Axes,
    sizes: Mapping[str, float],
    row: Row,
    measure: str,
    *,
    look: dict[str, Any],
    shift: float,
    name: str,
) -> None:
    found = {subtype: row.per_class[subtype][measure] for subtype in sizes}
    known = [
        (sizes[subtype] * shift, one.mean, one.sd or 0.0)
        for subtype, one in found.items()
        if one.mean is not None
    ]
    if known:
        x, means, sds = zip(*known, strict=True)
        axes.errorbar(x, means, yerr=sds, label=name, **POINT, **look)


def _scale(axes: Axes, sizes: Sequence[float]) -> None:
    """A logarithmic x axis with plain numbers, with room at both ends."""
    axes.set_xscale("log")
    room = max(1.25, (NARROWEST * min(sizes) / max(sizes)) ** 0.5)
    low, high = axes.set_xlim(min(sizes) / room, max(sizes) * room)
    digits = (1, 2, 5) if high / low > WIDE else (1, 2, 3, 4, 5, 6, 8)
    steps = [digit * 10**power for power in range(7) for digit in digits]
    axes.set_xticks([step for step in steps if low <= step <= high])
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", "\N{THIN SPACE}"))
    )
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", which="minor", length=0)
    axes.grid(axis="y")


def _name_classes(axes: Axes, sizes: Mapping[str, float]) -> None:
    """Names above the axes, moved apart, each with a thin line down to its class."""
    ordered = sorted(sizes.items(), key=lambda item: item[1])
    low, high = np.log(axes.get_xlim())
    places = (np.log([size for _, size in ordered]) - low) / (high - low)
    tops = apart(places, gap=GAP)
    for (name, size), top in zip(ordered, tops, strict=True):
        axes.axvline(size, color=GREY, linewidth=0.3, zorder=0)
        axes.annotate(
            plain(name, limit=LONGEST_NAME), (size, 1), (float(top), 1.05), textcoords=axes.transAxes,
            xycoords=axes.get_xaxis_transform(), arrowprops=LEADER, **SLANTED,
        )  # fmt: skip
