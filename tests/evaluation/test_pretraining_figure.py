import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from mk11.evaluation.figures import pretraining_curves


def history(*, checks=True, chance=False):
    table = pd.DataFrame({"epoch": range(1, 9), "pretrain/loss": np.linspace(1, 0.4, 8), "lr": 1e-3})
    if chance:
        table["pretrain/chance"] = 1.1
    if checks:
        due = table["epoch"] % 4 == 0
        for name in ("probe_f1_macro", "probe_balanced_accuracy", "knn_f1_macro", "knn_balanced_accuracy"):
            table[f"val/{name}"] = np.where(due, 0.5, np.nan)
        table["health/feature_std"] = np.where(due, 0.1, np.nan)
        table["health/rankme"] = np.where(due, 12.0, np.nan)
    return table


def texts(path):
    return {
        "".join(node.itertext()).strip() for node in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")
    }


def test_checks_and_loss_have_their_panels(tmp_path):
    pretraining_curves(history(), tmp_path / "a.svg")
    shown = texts(tmp_path / "a.svg")
    assert {"Loss", "Learning rate", "Validation split", "linear probe, macro-F1", "k-NN, macro-F1"} <= shown
    assert "Rank of features (RankMe)" in shown
    assert "chance" not in shown


def test_without_checks_there_is_the_loss_alone(tmp_path):
    pretraining_curves(history(checks=False), tmp_path / "a.svg")
    assert "Validation split" not in texts(tmp_path / "a.svg")


def test_a_contrastive_loss_is_drawn_against_chance(tmp_path):
    pretraining_curves(history(chance=True), tmp_path / "a.svg")
    assert "chance" in texts(tmp_path / "a.svg")


@pytest.mark.parametrize("checks", [True, False])
def test_equal_numbers_give_equal_bytes(tmp_path, checks):
    for name in ("a", "b"):
        pretraining_curves(history(checks=checks), tmp_path / f"{name}.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_run_of_one_epoch_whose_rate_has_ended_at_0_is_drawn(tmp_path):
    pretraining_curves(history(checks=False)[:1].assign(lr=0.0), tmp_path / "a.svg")
    assert "Learning rate" in texts(tmp_path / "a.svg")
