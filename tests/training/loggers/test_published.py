import io
import json
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from run_folders import NASTY, Cells, write_run
from wandb_stub import serving

from mk11.evaluation.predictions import read_predictions
from mk11.files import read_json
from mk11.runs.ledger import read_run
from mk11.runs.pseudonyms import Pseudonyms
from mk11.training.loggers.binding import content_hash
from mk11.training.loggers.published import (
    confusion_counts,
    draw_confusion,
    history_rows,
    per_class_table,
    shareable,
    summary,
)
from mk11.training.loggers.published import publish as replay_summary


@pytest.fixture(scope="module")
def published(mirror, tmp_path_factory):
    """A run that was mirrored to the end, once for all that look at it: (run, its W&B id, server)."""
    run = read_run(write_run(tmp_path_factory.mktemp("runs"), cells=Cells(images=(30, 20, 15, 5))))
    with serving(tmp_path_factory.mktemp("home")) as server:
        publish(mirror(run), run)
        yield run, read_json(run.folder.path / "wandb.json")["id"], server


@pytest.fixture
def same_key(no_account):
    """The pseudonyms' key under which `published` was sent."""


def publish(logger, run):
    logger.log_metrics({"val/pr_auc": 0.123, "epoch": 0}, step=1)
    logger.publish(run.folder)
    logger.finish(0)


def test_the_summary_that_arrives_is_that_of_the_best_epoch(published):
    run, name, server = published
    arrived = server.runs[name]["summary"]
    for split in ("val", "test"):
        for metric in ("accuracy", "f1_macro", "pr_auc", "auroc_macro", "images"):
            assert arrived[f"{split}/{metric}"] == pytest.approx(run.metrics[split][metric]), metric
    assert arrived["best_epoch"] == run.metrics["best_epoch"]


def test_the_picture_arrives_as_a_picture(published):
    _, name, server = published
    told = server.runs[name]["summary"]["confusion_matrix"]
    assert (told["_type"], told["format"]) == ("image-file", "png")
    picture = Image.open(io.BytesIO(server.files[f"{name}/{told['path']}"]))
    assert picture.format == "PNG"
    assert (picture.width, picture.height) == (told["width"], told["height"])
    assert np.asarray(picture.convert("L")).std() > 10  # something is drawn


def test_the_table_per_class_arrives(published):
    run, name, server = published
    told = server.runs[name]["summary"]["per_class"]
    table = json.loads(server.files[f"{name}/{told['path']}"])
    frame = pd.DataFrame(table["data"], columns=table["columns"]).set_index(["split", "class"])
    for split in ("val", "test"):
        for subtype, values in run.metrics[split]["per_class"].items():
            row = frame.loc[(split, subtype)]
            assert row["images"] == values["support"]
            assert row["f1"] == pytest.approx(values["f1"])


def test_the_predictions_arrive_once_readable_and_without_a_real_name(published, same_key, tmp_path):
    run, name, server = published
    assert [artifact["name"] for artifact in server.artifacts].count(f"predictions-{name}") == 1
    path = tmp_path / "arrived.parquet"
    path.write_bytes(server.file("/predictions.parquet"))
    arrived, classes = read_predictions(path)
    own, _ = read_predictions(run.folder.predictions)
    assert classes == run.classes
    assert not set(arrived["id"]) & set(own["id"])
    assert not set(arrived["content_hash"]) & set(own["content_hash"])
    assert not set(arrived["group"]) & set(own["group"])
    pseudonyms = Pseudonyms.load()
    assert arrived["group"].tolist() == [pseudonyms.patient(group) for group in own["group"]]
    assert arrived["id"].nunique() == own["id"].nunique()
    same = ["fold", "split", "label", "subtype", "checkpoint", *(f"p_{name}" for name in classes)]
    pd.testing.assert_frame_equal(arrived[same], own[same])


def test_no_checkpoint_leaves_the_machine(published):
    _, _, server = published
    assert not [name for name in server.files if name.endswith((".ckpt", ".pt", ".safetensors"))]


def test_the_same_is_uploaded_once_and_real_names_only_where_asked_for(server, stored, mirror, tmp_path):
    run = stored()
    publish(mirror(run), run)
    once = len(server.artifacts)
    publish(mirror(run), run)
    assert len(server.artifacts) == once
    server.files.clear()
    publish(mirror(run, real_names=True), run)
    path = tmp_path / "arrived.parquet"
    path.write_bytes(server.file("/predictions.parquet"))
    pd.testing.assert_frame_equal(read_predictions(path)[0], read_predictions(run.folder.predictions)[0])


def test_no_trace_of_a_real_name_is_left_in_the_file_itself(stored, no_account):
    run = stored()
    buffer = io.BytesIO()
    table = shareable(pq.read_table(run.folder.predictions), Pseudonyms.load())
    pq.write_table(table, buffer, compression="none")
    own, _ = read_predictions(run.folder.predictions)
    for name in {*own["id"], *own["group"], *own["content_hash"]} - {""}:
        assert name.encode() not in buffer.getvalue()


def test_an_unknown_patient_stays_unknown():
    table = pa.table({"id": ["a", "b"], "content_hash": ["c", "d"], "group": ["", "P1"]})
    assert shareable(table, Pseudonyms(b"k" * 16)).column("group").to_pylist()[0] == ""


def test_the_confusion_matrix_counts_the_reported_predictions(stored):
    run = stored()
    predictions, classes = read_predictions(run.folder.predictions)
    counts = confusion_counts(predictions, classes)
    expected = np.zeros_like(counts)
    for row in predictions.itertuples(index=False):
        if row.split == "test" and row.checkpoint == "best":
            scores = [row[predictions.columns.get_loc(f"p_{name}")] for name in classes]
            expected[row.label, scores.index(max(scores))] += 1
    assert (counts == expected).all()
    assert counts.sum() == run.metrics["test"]["images"]


def test_a_class_without_an_image_and_names_of_all_sorts_are_drawn(tmp_path):
    names = [*NASTY, "x" * 200, "tab\there\x00", "\u5de8\u6838\u7ec6\u80de"]
    draw_confusion(np.diag([*range(len(names) - 1), 0]), names, tmp_path / "matrix.png")
    with Image.open(tmp_path / "matrix.png") as picture:
        assert picture.format == "PNG"


def test_what_is_undefined_is_left_out_of_the_summary(stored):
    metrics = json.loads(json.dumps(stored().metrics))
    metrics["test"]["auroc_macro"] = None
    told = summary(metrics)
    assert "test/auroc_macro" not in told
    assert told["val/auroc_macro"] == metrics["val"]["auroc_macro"]


def test_the_table_has_a_row_for_each_split_and_class(stored):
    run = stored()
    columns, rows = per_class_table(run.metrics)
    assert len(rows) == 2 * len(run.classes)
    assert all(len(row) == len(columns) for row in rows)


def test_of_a_pre_training_the_final_measures_arrive(tmp_path):
    run = read_run(write_run(tmp_path, stage="pretrain", model="mae"))

    class Server:
        summary: ClassVar[dict[str, float]] = {}

    replay_summary(Server(), run.folder, None)
    assert Server.summary == {"final/loss": 0.4, "final/probe_f1_macro": 0.5, "final/rankme": 12.0}
    assert len(content_hash(run.folder)) == 16


def test_history_leaves_out_what_was_not_logged(stored):
    run = stored()
    history = pd.read_csv(run.folder.history)
    history.loc[0, "val/pr_auc"] = np.nan
    history.to_csv(run.folder.history, index=False)
    rows = dict(history_rows(run.folder))
    assert list(rows) == history["epoch"].tolist()
    assert "val/pr_auc" not in rows[1]
    assert rows[2]["val/pr_auc"] == history.loc[1, "val/pr_auc"]


def test_a_class_called_like_an_attack_arrives_as_that_name(server, stored, mirror):
    run = stored(cells=Cells(classes=NASTY, images=(20, 15, 15, 10, 10)))
    logger = mirror(run)
    publish(logger, run)
    arrived = server.runs[logger.target.id]["summary"]
    table = json.loads(server.files[f"{logger.target.id}/{arrived['per_class']['path']}"])
    assert [row[1] for row in table["data"] if row[0] == "test"] == list(NASTY)
    assert arrived["test/pr_auc"] == pytest.approx(run.metrics["test"]["pr_auc"])
