"""Learning curves of a configuration over its folds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mk11.errors import UserError
from mk11.evaluation.figures.canvas import BLUE, GREY, VERMILION, page
from mk11.evaluation.statistics.sets import FINAL
from mk11.report.figures.bands import Band, draw_band, history_band
from mk11.report.figures.looks import NOTE, range_of_folds, titled
from mk11.runs.configurations import Configuration

Cell = tuple[int | str, int]  # fold and seed
Histories = Mapping[Cell, pd.DataFrame]
LOSSES = {"train/loss": (GREY, "--", "training"), "val/loss": (BLUE, "-", "validation")}
METRICS = ((BLUE, "-"), (VERMILION, "--"))


def read_histories(configuration: Configuration) -> tuple[Histories, dict[Cell, int], str]:
    """Epochs and best epoch of each finished run of the folds, and the metric that chose it.

    Raises:
        UserError: A run's metrics.csv is missing or damaged.
    """
    histories, best, monitor = {}, {}, ""
    for run in configuration.finished:
        if run.fold == FINAL or run.metrics is None:
            continue
        histories[run.fold, run.seed] = _read(run.folder.history)
        best[run.fold, run.seed] = int(run.metrics["best_epoch"])
        monitor = monitor or str(run.metrics["monitor"])
    return histories, best, monitor


def _read(path: Path) -> pd.DataFrame:
    try:
        history = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} must be a table of epochs, but is not: {error}") from error
    if "epoch" not in history:
        raise UserError(f"{path} must have a column epoch, but has {', '.join(map(str, history))}")
    return history


def learning_over_folds(
    histories: Histories,
    best: Mapping[Cell, int],
    metrics: Sequence[str],
    path: Path,
    *,
    name: str,
) -> None:
    """Draw losses, and beside them validation metrics: the mean over folds, the lowest and the highest fold.

    Args:
        histories: (fold, seed) to the run's `metrics.csv`. Drawn are the epochs that all of them have.
        best: (fold, seed) to the epoch whose checkpoint is evaluated, by the first of `metrics`.
        metrics: One or two names of metrics, without `val/`; the first is the monitored one.
        path: The SVG; a PDF is written beside it.
        name: Of the configuration.
    """
    with page(path, width=7.2, height=3.0, title="Learning curves over folds", pdf=True) as figure:
        loss, metric = figure.subplots(1, 2)
        folds = len({fold for fold, _ in histories})
        figure.suptitle(f"{name}\n{range_of_folds(folds)}", **NOTE)
        loss.set_title("Loss")
        for column, (color, dash, label) in LOSSES.items():
            _draw(loss, history_band(histories, column), color=color, linestyle=dash, label=label)
        metric.set_title("Validation metric")
        for (color, dash), measure in zip(METRICS, metrics, strict=False):
            _draw(
                metric,
                history_band(histories, f"val/{measure}"),
                color=color,
                linestyle=dash,
                label=titled(measure),
            )
        _mark_best(metric, histories, best, f"val/{metrics[0]}")
        for axes in (loss, metric):
            axes.set_xlabel("Epoch")
            axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
            axes.grid(axis="y")
            if axes.lines:
                axes.legend(loc="best", handlelength=2.2)


def _draw(axes: Axes, band: Band | None, *, color: str, linestyle: str, label: str) -> None:
    if band is None:
        return
    draw_band(axes, band, color=color, linestyle=linestyle, label=label)
    if len(band.x) == 1:
        axes.plot(band.x, band.mean, "o", color=color, markersize=4)


def _mark_best(axes: Axes, histories: Histories, best: Mapping[Cell, int], column: str) -> None:
    """A ring at each run's best epoch and the value that it had there."""
    places = [
        (epoch, float(history.loc[history["epoch"] == epoch, column].iloc[0]))
        for key, history in histories.items()
        if column in history and (epoch := best.get(key)) in set(history["epoch"])
    ]
    if places:
        axes.plot(*zip(*places, strict=True), "o", color=METRICS[0][0], markerfacecolor="white", markersize=4,
                  zorder=4, label="best epoch of a fold", clip_on=False)  # fmt: skip
