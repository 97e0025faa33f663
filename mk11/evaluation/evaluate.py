"""Run a trained network over a fold's validation and test images and write down everything about it, once."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import nn

from mk11.data.cells import Fold
from mk11.data.loader import CellLoaders
from mk11.evaluation.figures import confusion_matrix, learning_curves, precision_recall
from mk11.evaluation.predictions import (
    best_validation,
    metrics_of,
    prediction_table,
    probability_columns,
    write_predictions,
)
from mk11.files import write_json
from mk11.loop.precision import autocast_type
from mk11.runs.folder import RunFolder

SPLITS = ("val", "test")


@torch.inference_mode()
def predict(
    network: nn.Module, batches: Iterable[dict[str, torch.Tensor]], *, device: torch.device, precision: str
) -> tuple[Int[np.ndarray, " images"], Float[np.ndarray, "images classes"]]:
    """Rows of the fold's table and class probabilities (softmax in float32), in the loader's order."""
    network.to(device).eval()
    rows, probabilities = [], []
    autocast = autocast_type(precision)
    for batch in batches:
        with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
            logits = network(batch["image"].to(device))
        rows.append(batch["index"].numpy())
        probabilities.append(logits.float().softmax(dim=1).cpu().numpy())
    return np.concatenate(rows), np.concatenate(probabilities)


def evaluate(
    network: nn.Module,
    *,
    checkpoints: dict[str, Path],
    fold: Fold,
    loaders: CellLoaders,
    device: torch.device,
    precision: str,
) -> pd.DataFrame:
    """Predictions of each checkpoint on validation and test images: one row per image and checkpoint.

    Args:
        network: The architecture; its weights are overwritten.
        checkpoints: Name (`best`, `last`) to file.
        fold: The fold's images and classes.
        loaders: Gives each image of a split exactly once.
        device: Where to run.
        precision: Lightning's name of the numeric precision.
    """
    tables = []
    for name, path in checkpoints.items():
        load_network(network, path)
        for split in SPLITS:
            rows, probabilities = predict(network, loaders.loader(split), device=device, precision=precision)
            tables.append(
                prediction_table(
                    fold.table, rows, probabilities, fold.classes, fold=fold.number, checkpoint=name
                )
            )
    return pd.concat(tables, ignore_index=True)


def load_network(network: nn.Module, checkpoint: Path) -> None:
    """Load the `network.` part of a run's checkpoint, strictly."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    own = {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
    network.load_state_dict(own, strict=True)


def write_results(
    folder: RunFolder, predictions: pd.DataFrame, classes: Sequence[str], *, monitor: str
) -> dict[str, Any]:
    """Write predictions, then metrics and figures computed from them; returns the metrics."""
    write_predictions(folder.predictions, predictions, classes)
    history = pd.read_csv(folder.history)
    best = best_validation(history)
    metrics = {
        "monitor": monitor,
        "epochs": len(history),
        "best_epoch": best[monitor]["epoch"],
        **metrics_of(predictions, classes),
        "best_validation": best,
    }
    write_json(folder.metrics, metrics)
    draw_figures(folder, predictions, classes, history=history, monitor=monitor)
    return metrics


def draw_figures(
    folder: RunFolder,
    predictions: pd.DataFrame,
    classes: Sequence[str],
    *,
    history: pd.DataFrame,
    monitor: str,
) -> None:
    """Learning curves, and confusion matrix and precision-recall of the best checkpoint on the test split."""
    folder.figures.mkdir(exist_ok=True)
    epoch = int(best_validation(history)[monitor]["epoch"])
    learning_curves(history, folder.figures / "learning_curves.svg", best_epoch=epoch, monitor=monitor)
    test = predictions[(predictions["split"] == "test") & (predictions["checkpoint"] == "best")]
    scores = test[probability_columns(classes)].to_numpy(np.float32)
    labels = test["label"].to_numpy()
    confusion_matrix(scores, labels, classes, folder.figures / "confusion_matrix.svg")
    precision_recall(scores, labels, classes, folder.figures / "precision_recall.svg")
