"""Curves of a pre-training: loss against chance, what probes make of the features, how spread they are."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mk11.evaluation.figures.canvas import BLUE, GREEN, GREY, INK, ORANGE, VERMILION, page

ROOM = 1.1  # over the highest value
PROBES = {
    "val/probe_f1_macro": (BLUE, "-", "linear probe, macro-F1"),
    "val/probe_balanced_accuracy": (BLUE, ":", "linear probe, balanced accuracy"),
    "val/knn_f1_macro": (VERMILION, "-", "k-NN, macro-F1"),
    "val/knn_balanced_accuracy": (VERMILION, ":", "k-NN, balanced accuracy"),
}
SPREAD = {
    "health/feature_std": (GREEN, "Deviation of features (0 = collapsed)"),
    "health/rankme": (ORANGE, "Rank of features (RankMe)"),
}


def pretraining_curves(history: pd.DataFrame, path: Path) -> None:
    """Draw loss and learning rate, and where there were checks of health, what they found.

    Args:
        history: A run's `metrics.csv`: `epoch`, `pretrain/loss`, `lr`; the others may be absent.
        path: The SVG.
    """
    checked = history[history["health/rankme"].notna()] if "health/rankme" in history else history[:0]
    mosaic: Any = [["loss", "probes", "health/feature_std"], ["rate", "probes", "health/rankme"]]
    if checked.empty:
        mosaic = [["loss"], ["rate"]]
    width = 3.2 if checked.empty else 9.0
    with page(path, width=width, height=3.3, title="Pre-training") as figure:
        axes: dict[str, Axes] = figure.subplot_mosaic(mosaic)
        _draw_loss(axes["loss"], history)
        _line(axes["rate"], history, "lr", color=INK)
        axes["rate"].set(title="Learning rate", xlabel="Epoch", ylim=(0, _top(history["lr"])))
        axes["rate"].ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
        if not checked.empty:
            _draw_checks(axes, checked)
        for one in figure.axes:
            one.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
            one.grid(axis="y")


def _draw_loss(axes: Axes, history: pd.DataFrame) -> None:
    axes.set_title("Loss")
    _line(axes, history, "pretrain/loss", color=BLUE, label="training")
    if "pretrain/chance" in history:
        _line(axes, history, "pretrain/chance", color=GREY, linestyle="--", label="chance")
        axes.legend(loc="best", handlelength=1.6)


def _draw_checks(axes: dict[str, Axes], checked: pd.DataFrame) -> None:
    probes = axes["probes"]
    probes.set(title="Validation split", xlabel="Epoch", ylim=(0, 1))
    for name, (color, dash, label) in PROBES.items():
        _line(probes, checked, name, color=color, linestyle=dash, label=label, marker="o")
    probes.legend(loc="best", handlelength=2.2)
    for name, (color, title) in SPREAD.items():
        _line(axes[name], checked, name, color=color, marker="o")
        axes[name].set(title=title, ylim=(0, _top(checked[name])))
    axes["health/rankme"].set_xlabel("Epoch")


def _top(values: pd.Series) -> float:
    """Where an axis from 0 ends."""
    highest = float(values.max())
    return ROOM * highest if highest > 0 else 1.0


def _line(axes: Axes, history: pd.DataFrame, name: str, **look: Any) -> None:  # noqa: ANN401
    axes.plot(history["epoch"], history[name], **{"markersize": 2.5, "linewidth": 1.2, **look})
