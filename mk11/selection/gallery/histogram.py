"""Distances to a prototype as bars, selected below others, with its threshold: shapes of an SVG."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.ticker import MaxNLocator

from mk11.selection.gallery.words import number, several

WIDTH, HEIGHT = 340, 170  # of the drawing
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 24, 40  # margins
BINS = 28


@dataclass(frozen=True)
class Bar:
    """A bin; heights and places in units of the drawing, y downwards."""

    x: float
    width: float
    selected_y: float
    selected_height: float
    other_y: float
    other_height: float
    words: str


@dataclass(frozen=True)
class Histogram:
    """Distances of one prototype's candidates, on the axis that all prototypes share."""

    bars: list[Bar]
    ticks: list[tuple[float, str]]
    counts: list[tuple[float, str]]
    threshold: float | None  # x of its line
    threshold_words: str
    anchor: str  # of these words: start, middle or end
    words: str


def span_of(distances: pd.Series, thresholds: pd.Series) -> tuple[float, float]:
    """From the smallest to the largest of all distances and thresholds: one axis for all prototypes."""
    values = np.concatenate([distances.dropna(), thresholds.dropna()])
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = 0.02 * (high - low) or 0.5
    return low - margin, high + margin


def histogram(candidates: pd.DataFrame, *, threshold: float, span: tuple[float, float]) -> Histogram:
    """Bars of the candidates that have a distance.

    Args:
        candidates: Of one prototype.
        threshold: Its threshold; NaN: none.
        span: Both ends of the axis, in units of distance.
    """
    edges = _edges(threshold, span)
    distances, admitted = candidates["distance"].to_numpy(), candidates["admitted"].to_numpy(dtype=bool)
    selected, _ = np.histogram(distances[admitted & ~np.isnan(distances)], edges)
    others, _ = np.histogram(distances[~admitted & ~np.isnan(distances)], edges)
    most = int(max((selected + others).max(), 1))
    known = bool(np.isfinite(threshold))
    x = _across(threshold, span) if known else None
    return Histogram(
        bars=[
            _bar(edges[k], edges[k + 1], int(selected[k]), int(others[k]), most, span)
            for k in np.flatnonzero(selected + others)
        ],
        ticks=[
            (_across(v, span), f"{v:g}") for v in MaxNLocator(5).tick_values(*span) if span[0] <= v <= span[1]
        ],
        counts=[
            (_up(v, most), f"{v:.0f}") for v in MaxNLocator(3, integer=True).tick_values(0, most) if v <= most
        ],
        threshold=x,
        threshold_words=f"threshold {number(threshold)}" if known else "",
        anchor=_anchor(x),
        words=f"Distances of {several(len(candidates), 'candidate')}, {int(admitted.sum()):,} selected"
        + (f"; the threshold is {number(threshold)}" if known else ""),
    )


def _edges(threshold: float, span: tuple[float, float]) -> Float[np.ndarray, " edges"]:
    """Ends of the bins: one lies just above the threshold, so that no bar reaches over it."""
    low, high = span
    step = (high - low) / BINS
    start = np.nextafter(threshold, np.inf) if np.isfinite(threshold) else low
    first, last = np.floor((low - start) / step), np.ceil((high - start) / step)
    return start + step * np.arange(first, last + 1)


def _bar(low: float, high: float, selected: int, others: int, most: int, span: tuple[float, float]) -> Bar:
    # The first and the last bin may reach beyond the axis.
    left, right = _across(max(low, span[0]), span), _across(min(high, span[1]), span)
    top, middle = _up(selected + others, most), _up(selected, most)
    return Bar(
        x=round(left + 0.5, 2),
        width=round(max(right - left - 1, 0.5), 2),
        selected_y=middle,
        selected_height=round(_up(0, most) - middle, 2),
        other_y=top,
        other_height=round(middle - top, 2),
        words=f"{number(low)} to {number(high)}: {selected:,} selected, {others:,} not",
    )


def _across(value: float, span: tuple[float, float]) -> float:
    low, high = span
    return round(LEFT + (WIDTH - LEFT - RIGHT) * float(value - low) / (high - low), 2)


def _up(count: float, most: int) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * float(count) / most, 2)


def _anchor(x: float | None) -> str:
    """Words near an edge are turned inwards."""
    if x is None or WIDTH / 4 < x < 3 * WIDTH / 4:
        return "middle"
    return "start" if x <= WIDTH / 4 else "end"
