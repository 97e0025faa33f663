"""Synthetic run folders, as `train.py` leaves them, for tests of what reads them.

`from run_folders import write_run, write_runs`. Labels, patients and folds are drawn once per `Cells`, so
that all models see the same images; an image that is hard is hard for every model. Metrics are computed from
the predictions by the package's own functions.
"""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import yaml
from PIL import Image
from run_folder_records import config_of, progress_of, record_of
from run_folder_spec import CLASSES, NASTY, Cells, Spec, digest

from mk11.evaluation.predictions import (
    best_validation,
    metrics_of,
    prediction_table,
    probability_columns,
    write_predictions,
)
from mk11.files import write_json
from mk11.metrics.final import OVERALL
from mk11.runs.folder import RunFolder

__all__ = ["CLASSES", "NASTY", "Cells", "Spec", "probabilities_of", "write_run", "write_runs"]


def write_run(root, spec=None, /, **changes):
    """Write one run folder under `root`; returns its path."""
    spec = replace(spec or Spec(), **changes)
    config, record = config_of(spec), record_of(spec)
    leaf = f"fold{spec.fold}-seed{spec.seed}-{record['identity']}"
    folder = RunFolder(root / spec.stage / spec.name / spec.model / leaf)
    folder.path.mkdir(parents=True)
    folder.config.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    write_json(folder.record, record)
    history = _history(spec)
    if spec.status == "failed":
        folder.error.write_text(
            "Traceback (most recent call last):\n  ...\nRuntimeError: CUDA out of memory\n"
        )
    elif spec.status == "running":
        folder.heartbeat.touch()
        history.head(2).to_csv(folder.history, index=False)
        write_json(folder.path / "progress.json", progress_of(spec))
    elif spec.status == "finished":
        history.to_csv(folder.history, index=False)
        _write_results(folder, spec, history)
    return folder.path


def write_runs(root, *, models=None, folds=range(5), seeds=(0,), missing=(), **changes):
    """Write every cell of models x folds x seeds, but those in `missing` ((model, fold, seed)); their paths.

    `models` maps a name to its quality.
    """
    models = models or {"convnext": 2.0, "vit": 1.2}
    return [
        write_run(root, model=model, quality=quality, fold=fold, seed=seed, **changes)
        for model, quality in models.items()
        for fold in folds
        for seed in seeds
        if (model, fold, seed) not in missing
    ]


def probabilities_of(spec, table, *, checkpoint):
    """Softmax of scores in which the right class stands out by `quality`, less so on hard images."""
    words = f"{spec.model} {spec.name} {spec.fold} {spec.seed} {checkpoint}"
    generator = np.random.default_rng(int(digest(words, 12), 16))
    classes = len(spec.cells.classes)
    scores = generator.normal(0, 1, (len(table), classes))
    rows = np.arange(len(table))
    scores[rows, table["label"]] += spec.quality * (1 + 0.4 * table["ease"])
    scores[rows, (table["label"] + 1) % classes] += 0.6  # each class has one that it is taken for
    powers = np.exp(1.5 * scores)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def _write_results(folder, spec, history):
    if spec.stage == "pretrain":
        final = {"loss": 0.4, "probe_f1_macro": 0.5, "rankme": 12.0}
        write_json(folder.metrics, {"monitor": "probe_f1_macro", "epochs": len(history), "final": final})
        return
    classes, predictions = spec.cells.classes, _predictions(spec)
    write_predictions(folder.predictions, predictions, classes)
    best = best_validation(history)
    metrics = {
        "monitor": "pr_auc",
        "epochs": len(history),
        "best_epoch": best["pr_auc"]["epoch"],
        **metrics_of(predictions, classes),
        "best_validation": best,
    }
    write_json(folder.metrics, metrics)
    folder.figures.mkdir()
    if spec.hardest:
        _hardest(predictions, classes).to_parquet(folder.path / "hardest.parquet", index=False)


def _predictions(spec):
    table = spec.cells.table(spec.fold)
    tables, number = [], -1 if spec.fold == "final" else spec.fold
    for checkpoint in ("best", "last"):
        scores = probabilities_of(spec, table, checkpoint=checkpoint)
        for split in ("val", "test"):
            rows = table.index[table["split"] == split].to_numpy()
            tables.append(
                prediction_table(
                    table, rows, scores[rows], spec.cells.classes, fold=number, checkpoint=checkpoint
                )
            )
    return pd.concat(tables, ignore_index=True)


def _hardest(predictions, classes, *, count=24):
    """As `hardest.parquet` is described: highest losses, then the most confident mistakes."""
    table = predictions[(predictions["split"] == "test") & (predictions["checkpoint"] == "best")]
    scores, labels = table[probability_columns(classes)].to_numpy(), table["label"].to_numpy()
    true, predicted = scores[np.arange(len(labels)), labels], scores.argmax(axis=1)
    table = table[["id", "content_hash", "group", "label", "subtype"]].assign(
        predicted=[classes[k] for k in predicted],
        probability=scores.max(axis=1),
        probability_true=true,
        loss=-np.log(true),
        thumbnail=[_thumbnail(name) for name in table["content_hash"]],
    )
    wrong = table[predicted != labels]
    return pd.concat(
        [
            table.nlargest(count, "loss").assign(why="loss"),
            wrong.nlargest(count, "probability").assign(why="confident"),
        ],
        ignore_index=True,
    )


def _thumbnail(name):
    """A blot of a colour of its own on a pale ground."""
    y, x = np.mgrid[:48, :48] - 24
    colour = [int(name[k : k + 2], 16) // 2 + 60 for k in (0, 2, 4)]
    image = np.where((y**2 + x**2 < 300)[..., None], colour, (225, 215, 225)).astype(np.uint8)
    Image.fromarray(image).save(stream := io.BytesIO(), format="PNG")
    return stream.getvalue()


def _history(spec):
    generator = np.random.default_rng(int(digest(f"{spec.model} {spec.fold} {spec.seed} epochs", 12), 16))
    progress = 1 - np.exp(-np.arange(1, spec.epochs + 1) / 2)
    ceiling = 1 - 0.6 * np.exp(-spec.quality)
    columns = {
        "epoch": np.arange(1, spec.epochs + 1),
        "train/loss": 1.5 - progress,
        "val/loss": 1.6 - progress,
    }
    columns |= {
        f"val/{name}": (ceiling * progress + generator.normal(0, 0.02, spec.epochs)).clip(0, 1)
        for name in OVERALL
    }
    return pd.DataFrame({**columns, "lr": 1e-3 * (1 - progress)})
