"""The hardest test images: which they are, and what their thumbnails show."""

from io import BytesIO

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mk11.data.fold_table import Fold
from mk11.errors import UserError
from mk11.evaluation.hardest import COLUMNS, NUMBER, SIDE, hardest, read_hardest, thumbnail, write_hardest
from mk11.evaluation.predictions import prediction_table
from mk11.runs.folder import RunFolder

CLASSES = ("MK-blast", '<script>"x"</script>', "π")
CHANNELS = 3


def predictions_of(scores, labels, checkpoint="best", split="test"):
    cells = pd.DataFrame(
        {
            "id": [f"cells/{row}.png" for row in range(len(labels))],
            "content_hash": [f"{row * 7 % 101:032x}" for row in range(len(labels))],
            "group": [f"p{row % 3}" for row in range(len(labels))],
            "split": split,
            "label": labels,
            "subtype": [CLASSES[label] for label in labels],
        }
    )
    scores = np.asarray(scores, np.float32)
    return prediction_table(cells, np.arange(len(labels)), scores, CLASSES, fold=0, checkpoint=checkpoint)


def drawn(seed, count, confidence=1.0):
    generator = np.random.default_rng(seed)
    return generator.dirichlet(np.full(3, confidence), count), generator.integers(0, 3, count)


@pytest.fixture
def fold():
    """60 images of random sizes up to 260 x 40 px, in an order other than that of the predictions."""
    predictions = predictions_of(*drawn(0, 60))
    table = predictions.sample(frac=1, random_state=1).reset_index(drop=True)
    generator = np.random.default_rng(0)
    pixels = [
        generator.integers(0, 256, (int(generator.integers(20, 260)), 40, 3), dtype=np.uint8)
        for _ in range(60)
    ]
    return Fold(
        table=table,
        classes=CLASSES,
        fold=0,
        fingerprint="0" * 16,
        set_fingerprint="0" * 16,
        folds=(0,),
        holdout=0,
        marks={},
        pixels=pixels,
    )


def test_rows_by_hand():
    predictions = predictions_of([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.125, 0.375]], [0, 0, 1])
    found = hardest(predictions, CLASSES)
    assert found["why"].tolist() == ["loss"] * 3 + ["confident"] * 2
    assert found["id"].tolist() == [f"cells/{row}.png" for row in (1, 2, 0, 1, 2)]
    assert found["predicted"].tolist()[:3] == [CLASSES[1], CLASSES[0], CLASSES[0]]
    np.testing.assert_allclose(found["loss"][:3], np.log([10, 8, 1 / 0.7]), rtol=1e-6)
    np.testing.assert_allclose(found["probability"], [0.8, 0.5, 0.7, 0.8, 0.5], rtol=1e-6)
    np.testing.assert_allclose(found["probability_true"], [0.1, 0.125, 0.7, 0.1, 0.125], rtol=1e-6)
    assert found["subtype"].tolist()[0] == CLASSES[0]
    assert found["label"].tolist() == [0, 1, 0, 0, 1]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 80), st.sampled_from([0.05, 1.0]), st.integers(0, 99))
def test_no_image_left_out_is_harder_and_the_order_of_rows_does_not_matter(seed, count, confidence, order):
    scores, labels = drawn(seed, count, confidence)
    predictions = predictions_of(scores, labels)
    found = hardest(predictions, CLASSES)
    by_loss, confident = (found[found["why"] == why] for why in ("loss", "confident"))
    wrong = predictions[[f"p_{name}" for name in CLASSES]].to_numpy().argmax(axis=1) != labels
    assert len(by_loss) == min(count, NUMBER)
    assert len(confident) == min(int(wrong.sum()), NUMBER)
    assert (by_loss["loss"].diff().dropna() <= 0).all()
    assert (confident["probability"].diff().dropna() <= 0).all()
    assert (confident["predicted"] != confident["subtype"]).all()
    left_out = predictions[~predictions["id"].isin(by_loss["id"])]
    true = [row[f"p_{row['subtype']}"] for _, row in left_out.iterrows()]
    assert min(true, default=1) >= by_loss["probability_true"].max()
    pd.testing.assert_frame_equal(hardest(predictions.sample(frac=1, random_state=order), CLASSES), found)


def test_a_probability_of_zero_has_a_finite_loss_above_all_others():
    least = float(np.finfo(np.float32).tiny)
    found = hardest(predictions_of([[least, 1, 0], [0, 1, 0]], [0, 0]), CLASSES)
    assert found["id"].tolist()[:2] == ["cells/1.png", "cells/0.png"]
    assert np.isfinite(found["loss"]).all()
    np.testing.assert_allclose(found["loss"][1], -np.log(least), rtol=1e-6)


def test_equally_hard_images_stand_in_the_order_of_their_contents():
    found = hardest(predictions_of([[0.2, 0.8, 0.0]] * 60, [0] * 60), CLASSES)
    expected = sorted(f"{row * 7 % 101:032x}" for row in range(60))[:NUMBER]
    assert found["content_hash"].tolist() == expected * 2


def test_only_the_best_checkpoint_on_test_counts():
    best = predictions_of(*drawn(0, 10))
    others = [
        predictions_of(*drawn(1, 10), checkpoint="last"),
        predictions_of(*drawn(2, 10), split="val"),
    ]
    pd.testing.assert_frame_equal(hardest(pd.concat([*others, best]), CLASSES), hardest(best, CLASSES))


def test_the_file_holds_a_thumbnail_of_the_right_pixels_for_each_row(fold, tmp_path):
    write_hardest(RunFolder(tmp_path), predictions_of(*drawn(0, 60)), fold)
    found = read_hardest(tmp_path / "hardest.parquet")
    assert tuple(found) == COLUMNS
    assert len(found) > NUMBER
    rows = fold.table.reset_index().set_index("id")["index"]
    for name, png in zip(found["id"], found["thumbnail"], strict=True):
        with Image.open(BytesIO(png)) as picture:
            assert picture.format == "PNG"
            shown = np.asarray(picture)
        np.testing.assert_array_equal(shown, thumbnail(fold.pixels[rows[name]]))
        assert max(shown.shape) <= SIDE


def test_a_small_image_is_shown_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (96, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(thumbnail(image), image)


def test_each_pixel_of_a_thumbnail_is_the_mean_of_those_it_covers():
    image = np.random.default_rng(0).integers(0, 256, (4 * SIDE, 2 * SIDE, 3), dtype=np.uint8)
    means = image.reshape(SIDE, 4, SIDE // 2, 4, CHANNELS).mean(axis=(1, 3))
    assert np.abs(thumbnail(image) - means).max() <= 0.51


@pytest.mark.parametrize("size", [(1, 500), (500, 1), (97, 96), (1, 1)])
def test_no_side_of_a_thumbnail_vanishes(size):
    shown = thumbnail(np.zeros((*size, 3), np.uint8))
    assert min(shown.shape) >= 1
    assert max(shown.shape) == min(max(*size, 3), SIDE)


def test_the_same_predictions_make_the_same_file(fold, tmp_path):
    for name in ("one", "other"):
        write_hardest(RunFolder(tmp_path / name), predictions_of(*drawn(0, 60)), fold)
    one, other = ((tmp_path / name / "hardest.parquet").read_bytes() for name in ("one", "other"))
    assert one == other


def test_a_failed_write_leaves_the_file_before_and_no_other(fold, tmp_path, monkeypatch):
    folder, predictions = RunFolder(tmp_path), predictions_of(*drawn(0, 60))
    write_hardest(folder, predictions, fold)
    before = folder.hardest.read_bytes()

    def half(written, where, **_):
        where.write_bytes(b"PAR1 half")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", half)
    with pytest.raises(OSError, match="disk full"):
        write_hardest(folder, predictions, fold)
    assert [file.name for file in tmp_path.iterdir()] == ["hardest.parquet"]
    assert folder.hardest.read_bytes() == before


def test_a_damaged_or_foreign_file_is_named(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "foreign.parquet")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 half")
    for name in ("foreign", "damaged", "missing"):
        with pytest.raises(UserError, match=rf"{name}\.parquet must be a table of a run's hardest images"):
            read_hardest(tmp_path / f"{name}.parquet")
