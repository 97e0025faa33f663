"""Learning curves: losses, validation metrics and learning rate over epochs."""

from itertools import cycle
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mk11.evaluation.figures.canvas import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, VERMILION, page

MARKED = 30  # up to so many epochs, each is a dot
LOSSES = {"train/loss": (GREY, "training"), "val/loss": (BLUE, "validation")}
LOOKS = [
    (BLUE, "-"),
    (VERMILION, "--"),
    (GREEN, "-."),
    (ORANGE, "-"),
    (PURPLE, "--"),
    (SKY, "-."),
    (INK, ":"),
]


def learning_curves(history: pd.DataFrame, path: Path, *, best_epoch: int, monitor: str) -> None:
    """Draw losses above the learning rate; beside them each validation metric, with its best epoch's value.

    Args:
        history: A run's `metrics.csv`: `epoch`, `train/loss`, `val/loss`, `val/<metric>`, `lr`; others are
            left out, and any but `epoch` may be absent.
        path: The SVG.
        best_epoch: The epoch whose checkpoint is evaluated, as `epoch` counts.
        monitor: The metric that chose it, without `val/`.
    """
    with page(path, width=7.2, height=3.3, title="Learning curves") as figure:
        loss, rate, metrics = _axes(figure, rate="lr" in history)
        _draw_losses(loss, history)
        _draw_metrics(metrics, history, best_epoch=best_epoch, monitor=monitor)
        if rate is not None:
            _line(rate, history, "lr", color=INK)
            rate.set_title("Learning rate")
            rate.set_ylim(bottom=0)
            rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
            loss.tick_params(labelbottom=False)
        for axes in figure.axes:
            _mark_epochs(axes, history["epoch"], best_epoch)
        for axes in (rate or loss, metrics):
            axes.set_xlabel(f"Epoch (dashed: best, {best_epoch})")


def _axes(figure: Figure, *, rate: bool) -> tuple[Axes, Axes | None, Axes]:
    names: Any = [["loss", "metrics"], ["rate", "metrics"]] if rate else [["loss", "metrics"]]
    axes: dict[str, Axes] = figure.subplot_mosaic(
        names, height_ratios=[3, 1] if rate else [1], width_ratios=[1, 1.15]
    )
    return axes["loss"], axes.get("rate"), axes["metrics"]


def _draw_losses(axes: Axes, history: pd.DataFrame) -> None:
    axes.set_title("Loss")
    for name, (color, label) in LOSSES.items():
        if name in history:
            _line(axes, history, name, color=color, label=label)
    if axes.lines:
        axes.legend(loc="best", handlelength=1.6)


def _draw_metrics(axes: Axes, history: pd.DataFrame, *, best_epoch: int, monitor: str) -> None:
    axes.set_title("Validation metrics")
    names = [name for name in map(str, history) if name.startswith("val/") and name not in LOSSES]
    best = history[history["epoch"] == best_epoch]
    looks = cycle(LOOKS)
    # The monitored metric comes first and is drawn last, on top, and thicker.
    for order, name in enumerate(sorted(names, key=lambda name: name != f"val/{monitor}")):
        color, dash = next(looks)
        value = best[name].iloc[0] if len(best) else float("nan")
        number = "undefined" if pd.isna(value) else f"{value:.3f}"
        label = f"{number}  {name.removeprefix('val/')}"
        chosen = name == f"val/{monitor}"
        _line(axes, history, name, color=color, linestyle=dash, label=label, linewidth=2.0 if chosen else 1.0)
        axes.lines[-1].set_zorder(3 - order / 100)
        if chosen:
            axes.plot(best_epoch, value, "o", color=color, markersize=5, zorder=4)
    if names:
        axes.legend(
            title=f"at epoch {best_epoch}", alignment="left", handlelength=2.2,
            loc="upper left", bbox_to_anchor=(1.0, 1.02),
        )  # fmt: skip


def _line(axes: Axes, history: pd.DataFrame, name: str, **look: Any) -> None:  # noqa: ANN401
    marker = "o" if len(history) <= MARKED else None
    look = {"marker": marker, "markersize": 2.5, "linewidth": 1.2, **look}
    axes.plot(history["epoch"], history[name], **look)


def _mark_epochs(axes: Axes, epochs: pd.Series, best_epoch: int) -> None:
    margin = max(0.5, 0.02 * (epochs.max() - epochs.min()))
    axes.set_xlim(epochs.min() - margin, epochs.max() + margin)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.grid(axis="y")
    axes.axvline(best_epoch, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
