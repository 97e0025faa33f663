"""What a finished run shows on W&B, from its folder alone: history, summary, image, table, predictions."""

import math
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

from mk11.files import read_json
from mk11.metrics.final import OVERALL
from mk11.runs.folder import RunFolder
from mk11.runs.pseudonyms import Pseudonyms
from mk11.runs.shapes import CLASS_MEASURES

SPLITS = ("val", "test")


def history_rows(folder: RunFolder) -> Iterator[tuple[int, dict[str, float]]]:
    """(epoch, its metrics) of each row of metrics.csv; what was not logged is left out."""
    for row in pd.read_csv(folder.history).to_dict("records"):
        values = {str(name): float(value) for name, value in row.items() if not math.isnan(float(value))}
        yield int(values["epoch"]), values


def summary(metrics: Mapping[str, Any]) -> dict[str, float | int | str]:
    """`val/pr_auc`, `test/pr_auc` and so on of the best epoch; what is undefined is left out."""
    flat = {f"{split}/{name}": metrics[split][name] for split in SPLITS for name in (*OVERALL, "images")}
    flat |= {key: metrics[key] for key in ("best_epoch", "epochs", "monitor")}
    return {key: value for key, value in flat.items() if value is not None}


def per_class_table(metrics: Mapping[str, Any]) -> tuple[list[str | int], list[Any]]:
    """Columns and rows: a row for each split and class."""
    rows = [
        [split, name, values["support"], *(values[measure] for measure in CLASS_MEASURES)]
        for split in SPLITS
        for name, values in metrics[split]["per_class"].items()
    ]
    return ["split", "class", "images", *CLASS_MEASURES], rows


def confusion_counts(predictions: pd.DataFrame, classes: Sequence[str]) -> Int[np.ndarray, "classes classes"]:
    """Images of each true class (row) by the class they were taken for, of the best checkpoint on test."""
    test = predictions[(predictions["split"] == "test") & (predictions["checkpoint"] == "best")]
    taken_for = test[[f"p_{name}" for name in classes]].to_numpy().argmax(axis=1)
    return confusion_matrix(test["label"], taken_for, labels=range(len(classes)))


def draw_confusion(counts: Int[np.ndarray, "classes classes"], classes: Sequence[str], path: Path) -> None:
    """A PNG of the shares of each true class, in per cent, the number of its images beside its name."""
    totals = counts.sum(axis=1)
    shares = 100 * counts / np.maximum(totals, 1)[:, None]
    names = [_plain(name) for name in classes]
    with warnings.catch_warnings(), matplotlib.rc_context({"text.parse_math": False}):  # a class may be "$x$"
        warnings.filterwarnings("ignore", message=r"(?s)Glyph \d+ .* missing from font")
        figure = Figure(figsize=(3 + 0.45 * len(names), 2.5 + 0.4 * len(names)), layout="constrained")
        axes = figure.subplots()
        display = ConfusionMatrixDisplay(shares, display_labels=names)
        display.plot(ax=axes, cmap="Blues", colorbar=False, values_format=".0f", xticks_rotation=90,
                     im_kw={"vmin": 0, "vmax": 100})  # fmt: skip
        axes.set_yticklabels([f"{name} ({total})" for name, total in zip(names, totals, strict=True)])
        axes.set(title="test, per cent of the true class", xlabel="taken for", ylabel="true (images)")
        figure.savefig(path, format="png", dpi=120)


def _plain(name: str) -> str:
    """One line of at most 30 printable characters."""
    line = " ".join(re.sub("[^\x20-\ud7ff\ue000-\U0010ffff]", "\ufffd", name).split())
    return line if len(line) <= 30 else f"{line[:29]}\u2026"


def shareable(predictions: pa.Table, pseudonyms: Pseudonyms | None) -> pa.Table:
    """The predictions under pseudonyms of images, contents and patients; None leaves them as they are."""
    if pseudonyms is None:
        return predictions
    renamed = {"id": pseudonyms.image, "content_hash": pseudonyms.image, "group": pseudonyms.patient}
    for column, rename in renamed.items():
        names = predictions.column(column).to_pylist()
        place = predictions.column_names.index(column)
        predictions = predictions.set_column(place, column, pa.array([rename(name) for name in names]))
    return predictions


def replay(run: Any, folder: RunFolder, pseudonyms: Pseudonyms | None) -> None:  # noqa: ANN401
    """All that a mirror would have shown of a finished run, from its folder alone."""
    for epoch, values in history_rows(folder):
        run.log(values, step=epoch)
    publish(run, folder, pseudonyms)


def publish(run: Any, folder: RunFolder, pseudonyms: Pseudonyms | None) -> None:  # noqa: ANN401
    """Put a finished run's results on its W&B run: image and table, predictions, then the summary.

    Of a pre-training that is the summary alone.
    """
    import wandb

    metrics = read_json(folder.metrics)
    if not folder.predictions.exists():  # a pre-training
        run.summary.update({f"final/{name}": value for name, value in metrics["final"].items()})
        return
    table = pq.read_table(folder.predictions)
    classes = list(metrics["test"]["per_class"])
    columns, rows = per_class_table(metrics)
    with tempfile.TemporaryDirectory() as scratch:
        picture, file = Path(scratch) / "confusion_matrix.png", Path(scratch) / "predictions.parquet"
        draw_confusion(confusion_counts(table.to_pandas(), classes), classes, picture)
        image = wandb.Image(str(picture), file_type="png")
        run.log({"confusion_matrix": image, "per_class": wandb.Table(columns=columns, data=rows)})
        pq.write_table(shareable(table, pseudonyms), file)
        artifact = wandb.Artifact(f"predictions-{run.id}", "predictions", metadata={"classes": classes})
        artifact.add_file(str(file))
        run.log_artifact(artifact)
    run.summary.update(summary(metrics))  # last: a logged row sets the summary too
