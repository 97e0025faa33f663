import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mk11.errors import UserError
from mk11.evaluation.predictions import (
    best_validation,
    metrics_of,
    prediction_table,
    read_predictions,
    write_predictions,
)
from mk11.metrics.final import OVERALL, classification_metrics

CLASSES = ("MK-blast", 'a, "b" <c>', "π")


@pytest.fixture
def cells():
    labels = np.arange(12) % 3
    return pd.DataFrame(
        {
            "id": [f"{CLASSES[label]}/{index}.png" for index, label in enumerate(labels)],
            "content_hash": [f"{index:032x}" for index in range(12)],
            "group": "",
            "split": ["train"] * 4 + ["val"] * 4 + ["test"] * 4,
            "label": labels,
            "subtype": [CLASSES[label] for label in labels],
            "width": 10,
        }
    )


def table(cells, split, checkpoint, seed=0):
    rows = np.flatnonzero(cells["split"] == split)
    scores = np.random.default_rng(seed).dirichlet(np.ones(3), len(rows)).astype(np.float32)
    return prediction_table(cells, rows, scores, CLASSES, fold=2, checkpoint=checkpoint), scores


def test_a_round_trip_keeps_every_bit_and_the_class_order(cells, tmp_path):
    predictions, scores = table(cells, "test", "best")
    write_predictions(tmp_path / "predictions.parquet", predictions, CLASSES)
    found, classes = read_predictions(tmp_path / "predictions.parquet")
    assert classes == CLASSES
    pd.testing.assert_frame_equal(found, predictions)
    assert (found[[f"p_{name}" for name in CLASSES]].to_numpy() == scores).all()
    assert found["id"].tolist() == cells["id"][8:].tolist()
    assert set(found["fold"]) == {2}


@pytest.mark.parametrize("content", [b"", b"PAR1 half", b"not a table"])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "predictions.parquet"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"predictions\.parquet must be a table of predictions"):
        read_predictions(path)


def test_a_foreign_table_is_refused(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet must be a table of predictions"):
        read_predictions(tmp_path / "a.parquet")


@pytest.mark.parametrize("told", [b'["a"]', b"{not JSON", b"3"])
def test_a_table_that_only_claims_to_be_one_is_refused(tmp_path, told):
    foreign = pa.table({"id": ["x"]}).replace_schema_metadata({b"mk11.classes": told})
    pq.write_table(foreign, tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet must be a table of predictions"):
        read_predictions(tmp_path / "a.parquet")


def test_every_truncation_is_refused(cells, tmp_path):
    path = tmp_path / "predictions.parquet"
    write_predictions(path, table(cells, "test", "best")[0], CLASSES)
    whole = path.read_bytes()
    for length in (0, 4, len(whole) // 2, len(whole) - 9, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"predictions\.parquet must be"):
            read_predictions(path)


def test_a_failed_write_leaves_the_file_before_and_no_other(cells, tmp_path, monkeypatch):
    path = tmp_path / "predictions.parquet"
    predictions, _ = table(cells, "test", "best")
    write_predictions(path, predictions, CLASSES)

    def half(written, where, **_):
        where.write_bytes(b"PAR1 half")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", half)
    with pytest.raises(OSError, match="disk full"):
        write_predictions(path, predictions, CLASSES)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    pd.testing.assert_frame_equal(read_predictions(path)[0], predictions)


def test_a_diverged_checkpoint_is_named(cells):
    scores = np.array([[0.2, 0.3, 0.5], [np.nan] * 3], np.float32)
    with pytest.raises(UserError, match=r"the last checkpoint must be finite.* 1 of 2 images, such as"):
        prediction_table(cells, np.array([4, 5]), scores, CLASSES, fold=0, checkpoint="last")


def test_metrics_are_those_of_each_checkpoint_and_split(cells):
    parts = {
        (split, checkpoint): table(cells, split, checkpoint, seed=index)
        for index, (split, checkpoint) in enumerate(
            [("val", "best"), ("test", "best"), ("val", "last"), ("test", "last")]
        )
    }
    found = metrics_of(pd.concat([part for part, _ in parts.values()]), CLASSES)
    for (split, checkpoint), (part, scores) in parts.items():
        here = found if checkpoint == "best" else found["last"]
        assert here[split] == classification_metrics(scores, part["label"].to_numpy(), CLASSES)


def test_each_metric_has_its_own_best_epoch_and_the_loss_its_lowest():
    history = pd.DataFrame({"epoch": [0, 1, 2], **{f"val/{name}": [0.1, 0.3, 0.2] for name in OVERALL}})
    history["val/accuracy"] = [0.9, 0.1, 0.1]
    history["val/auroc_macro"] = [np.nan] * 3
    history["val/loss"] = [3.0, 2.0, 1.0]
    best = best_validation(history)
    assert best["pr_auc"] == {"value": 0.3, "epoch": 1}
    assert best["accuracy"] == {"value": 0.9, "epoch": 0}
    assert best["loss"] == {"value": 1.0, "epoch": 2}
    assert "auroc_macro" not in best


def test_of_equal_epochs_the_first_is_the_best_and_a_metric_not_recorded_is_left_out():
    history = pd.DataFrame({"epoch": [0, 1, 2], "val/pr_auc": [0.2, 0.4, 0.4]})
    assert best_validation(history) == {"pr_auc": {"value": 0.4, "epoch": 1}}
