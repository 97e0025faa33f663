import re

import numpy as np
import pandas as pd
import pytest
from comparison_words import FEW, predicted, predictions_of
from run_folders import Cells, write_runs

from mk11.compare.flips import KINDS, counts, flips
from mk11.evaluation.statistics.sets import FoldPredictions

X, Y, Z, WEAK_Y = (0.8, 0.1, 0.1), (0.05, 0.9, 0.05), (0.2, 0.2, 0.6), (0.3, 0.4, 0.3)


def fold_of(probabilities, labels, *, seeds=(0,)):
    """Predictions of one fold; `probabilities` is (seeds, images, 3)."""
    count = len(labels)
    return FoldPredictions(
        fold=0,
        seeds=seeds,
        probabilities=np.array(probabilities, np.float32),
        labels=np.array(labels),
        groups=np.array([""] * count),
        ids=np.array([f"i{n}" for n in range(count)]),
        classes=("x", "y", "z"),
        train_images=10,
    )


def test_flips_are_counted_and_listed_as_the_files_have_them(runs, compare):
    out, _, _ = compare("convnext", "vit", "--runs", runs, FEW, "--all")
    a, b = (pd.concat(predictions_of(runs, model).values()) for model in ("convnext", "vit"))
    b = b.loc[a.index]
    ours, theirs, label = predicted(a), predicted(b), a["label"].to_numpy()
    flipped = ours != theirs
    kinds = [
        (flipped & (ours == label)).sum(),
        (flipped & (theirs == label)).sum(),
        (flipped & (ours != label) & (theirs != label)).sum(),
    ]
    told = ", ".join(f"{count} {kind}" for count, kind in zip(kinds, KINDS, strict=True))
    assert f"{flipped.sum()} of {len(label)} images are predicted otherwise by B than by A: {told}." in out
    listed = {line.split()[0] for line in out.splitlines() if ".png" in line}
    assert listed == set(a.index[flipped])


def test_flips_by_hand_the_surest_contradiction_first():
    a = fold_of([[X, X, X, Y, X]], [0, 0, 1, 2, 2])
    b = fold_of([[X, WEAK_Y, Y, X, Z]], [0, 0, 1, 2, 2])
    found = flips([a], [b])
    assert [(flip.id, flip.kind) for flip in found] == [
        ("i2", "wrong -> right"),
        ("i3", "wrong -> other wrong"),
        ("i4", "wrong -> right"),
        ("i1", "right -> wrong"),
    ]
    assert found[3].predicted == ("x", "y")
    assert found[3].probability == pytest.approx((0.8, 0.4))
    assert counts(found) == dict(zip(KINDS, (1, 2, 1), strict=True))


def test_several_seeds_predict_by_their_mean():
    a = fold_of([[X], [WEAK_Y], [WEAK_Y]], [0], seeds=(0, 1, 2))  # two of three say y, the mean says x
    assert flips([a], [fold_of([[X]], [0])]) == []


def test_the_list_of_flips_is_cut_at_twenty(tmp_path, compare):
    write_runs(tmp_path, models={"a": 0.0, "b": 0.0}, folds=(0,), cells=Cells(images=(60,) * 4, patients=60))
    out, _, _ = compare("a", "b", "--runs", tmp_path, FEW)
    assert len([line for line in out.splitlines() if ".png" in line]) == 20
    assert re.search(r"\d+ more, of which one side is less sure, with --all", out)
