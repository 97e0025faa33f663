"""`hardest.parquet`: the test images that a run got most wrong, each with a thumbnail for reports."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import UInt8

from mk11.data.fold_table import Fold
from mk11.errors import UserError
from mk11.evaluation.predictions import probability_columns
from mk11.files import replacing
from mk11.runs.folder import RunFolder

NUMBER = 24  # images of each kind
SIDE = 96  # px; the longest side of a thumbnail at most
LEAST = float(np.finfo(np.float32).smallest_subnormal)  # what a probability of 0 in float32 may have been
COLUMNS = (
    "id",
    "content_hash",
    "group",
    "label",
    "subtype",
    "predicted",
    "probability",
    "probability_true",
    "loss",
    "why",
    "thumbnail",
)


def write_hardest(folder: RunFolder, predictions: pd.DataFrame, fold: Fold) -> None:
    """Write the hardest test images of the best checkpoint, whole or not at all.

    Args:
        folder: Of the run.
        predictions: As `evaluate` made them.
        fold: What was evaluated.
    """
    table = hardest(predictions, fold.classes)
    thumbnails = _thumbnails(table["id"].unique().tolist(), fold)
    table["thumbnail"] = [thumbnails[name] for name in table["id"]]
    with replacing(folder.hardest) as temporary:
        pq.write_table(pa.Table.from_pandas(table[list(COLUMNS)], preserve_index=False), temporary)


def read_hardest(path: Path) -> pd.DataFrame:
    """The table, without an index.

    Raises:
        UserError: `path` is missing, damaged, or not a table of the hardest images.
    """
    try:
        return pq.read_table(path).select(COLUMNS).to_pandas()
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} must be a table of a run's hardest images, but is not: {error}") from error


def hardest(predictions: pd.DataFrame, classes: tuple[str, ...]) -> pd.DataFrame:
    """Up to NUMBER test images of highest loss, then as many mistakes made with most confidence.

    `predicted` and its `probability`, `probability_true` of the true class, `loss` = -ln(probability_true) in
    nats, and `why` (loss or confident); an image may stand in both parts. Equal ones stand in the order of
    their contents.
    """
    test = predictions[(predictions["split"] == "test") & (predictions["checkpoint"] == "best")]
    test = test.sort_values(["content_hash", "id"], ignore_index=True)
    scores = test[probability_columns(classes)].to_numpy(np.float64)
    told = test[["id", "content_hash", "group", "label", "subtype"]].assign(
        predicted=np.array(classes, dtype=object)[scores.argmax(axis=1)],
        probability=scores.max(axis=1),
        probability_true=scores[np.arange(len(test)), test["label"]],
    )
    told["loss"] = -np.log(np.maximum(told["probability_true"], LEAST))
    mistakes = told[scores.argmax(axis=1) != test["label"]]
    by_loss = told.sort_values("loss", ascending=False, kind="stable").head(NUMBER)
    confident = mistakes.sort_values("probability", ascending=False, kind="stable").head(NUMBER)
    return pd.concat([by_loss.assign(why="loss"), confident.assign(why="confident")], ignore_index=True)


def _thumbnails(ids: list[str], fold: Fold) -> dict[str, bytes]:
    """PNG of each image, made from its decoded pixels."""
    rows = pd.Index(fold.table["id"]).get_indexer(ids)
    return {name: _png(thumbnail(fold.pixels[row])) for name, row in zip(ids, rows.tolist(), strict=True)}


def thumbnail(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "rows columns 3"]:
    """The image, shrunk so that its longest side is at most SIDE; each pixel the mean of what it covers."""
    height, width, _ = image.shape
    factor = min(SIDE / max(height, width), 1)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _png(image: UInt8[np.ndarray, "rows columns 3"]) -> bytes:
    whole, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert whole
    return encoded.tobytes()
