import numpy as np
import pandas as pd
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
