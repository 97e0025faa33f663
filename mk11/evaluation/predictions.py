"""`predictions.parquet`: one row per image and checkpoint. Everything reported is recomputed from it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Int

from mk11.errors import UserError
from mk11.files import replacing
from mk11.metrics.final import OVERALL, classification_metrics

CLASSES_KEY = b"mk11.classes"
COLUMNS = ("id", "content_hash", "group", "fold", "split", "label", "subtype", "checkpoint")


def prediction_table(
    cells: pd.DataFrame,
    rows: Int[np.ndarray, " images"],
    probabilities: Float[np.ndarray, "images classes"],
    classes: Sequence[str],
    *,
    fold: int,
    checkpoint: str,
) -> pd.DataFrame:
    """Predictions of one checkpoint on some images.

    Args:
        cells: The fold's table.
        rows: Which of its rows were predicted.
        probabilities: Of each class, in class order.
        classes: Their names.
        fold: Which fold was tested.
        checkpoint: best or last.

    Raises:
        UserError: The checkpoint's probabilities are not finite: its training had diverged.
    """
    broken = ~np.isfinite(probabilities).all(axis=1)
    if broken.any():
        raise UserError(
            f"the probabilities of the {checkpoint} checkpoint must be finite, but are not for "
            f"{broken.sum()} of {len(rows)} images, such as "
            f"{cells.loc[rows[broken][0], 'id']}: training has diverged"
        )
    known = ["id", "content_hash", "group", "split", "label", "subtype"]
    table = cells.loc[rows, known].reset_index(drop=True).assign(fold=fold, checkpoint=checkpoint)
    scores = pd.DataFrame(probabilities.astype(np.float32), columns=probability_columns(classes))
    return pd.concat([table[list(COLUMNS)], scores], axis=1)


def probability_columns(classes: Sequence[str]) -> list[str]:
    """`p_<class>` for each class, in class order."""
    return [f"p_{name}" for name in classes]


def write_predictions(path: Path, predictions: pd.DataFrame, classes: Sequence[str]) -> None:
    """Write the table whole or not at all, the class names in their order beside it."""
    table = pa.Table.from_pandas(predictions, preserve_index=False)
    told = {**(table.schema.metadata or {}), CLASSES_KEY: json.dumps(list(classes)).encode()}
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(told), temporary)


def read_predictions(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The table and the class names in their order.

    Raises:
        UserError: `path` is missing, damaged, or not a table of predictions.
    """
    try:
        table = pq.read_table(path)
        classes = tuple(json.loads(table.schema.metadata[CLASSES_KEY]))
        table = table.select([*COLUMNS, *probability_columns(classes)])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} must be a table of predictions of a run, but is not: {error}") from error
    return table.to_pandas(), classes


def metrics_of(predictions: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Metrics of each split: of the best checkpoint under its split's name, of the last under `last`."""
    found = {
        str(checkpoint): {
            str(split): classification_metrics(
                part[probability_columns(classes)].to_numpy(np.float32), part["label"].to_numpy(), classes
            )
            for split, part in of_checkpoint.groupby("split")
        }
        for checkpoint, of_checkpoint in predictions.groupby("checkpoint")
    }
    return {**found["best"], "last": found["last"]}


def best_validation(history: pd.DataFrame) -> dict[str, dict[str, float | int]]:
    """The best validation value of each metric and its epoch, each metric at an epoch of its own.

    That is how the MK-11 baselines were reported: an optimistic figure, kept to stand beside the honest one.
    """
    best: dict[str, dict[str, float | int]] = {}
    for name in (*OVERALL, "loss"):
        values = history.get(f"val/{name}", pd.Series(dtype=float)).to_numpy(float)
        if not np.isnan(values).all():
            place = np.nanargmin(values) if name == "loss" else np.nanargmax(values)
            best[name] = {"value": float(values[place]), "epoch": int(history["epoch"].iloc[place])}
    return best
