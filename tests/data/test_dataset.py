"""One item: a pure function of the seed, the epoch and the position."""

import math
import random

import numpy as np
import pandas as pd
import pytest
import torch

from mk11.data.cells import Fold
from mk11.data.dataset import CellImages
from mk11.data.transforms.light import Light
from mk11.data.transforms.plain import Plain
from mk11.data.transforms.resize import resize_policy
from mk11.errors import UserError

UNIT = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def fold(um_per_pixel=0.25):
    """Nine images of different sizes, the splits interleaved; image i is filled with 20 i."""
    table = pd.DataFrame({"id": [f"{i}.png" for i in range(9)], "label": [2, 1, 0] * 3})
    table["split"] = ["train", "val", "test"] * 3
    table["um_per_pixel"] = um_per_pixel
    pixels = [np.full((10 + i, 12, 3), 20 * i, np.uint8) for i in range(9)]
    return Fold(
        table=table,
        classes=("a", "b", "c"),
        fold=0,
        fingerprint="0" * 16,
        set_fingerprint="0" * 16,
        folds=(0, 1),
        holdout=0,
        marks={},
        pixels=pixels,
    )


def light(name="short_side"):
    policy = resize_policy(name=name, image_size=8, target_um_per_pixel=0.25)
    return Light(resize=policy, **UNIT, brightness=0.3, contrast=0.3, saturation=0.3)


def plain():
    return Plain(resize=resize_policy(name="short_side", image_size=8, target_um_per_pixel=None), **UNIT)


def test_each_split_has_its_own_rows_labels_and_pixels():
    cells = CellImages(fold(), "val", plain(), seed=0)
    items = [cells[place] for place in range(len(cells))]
    assert [int(item["index"]) for item in items] == [1, 4, 7]
    assert [int(item["label"]) for item in items] == [1, 1, 1]
    assert [item["image"].mul(255).mean().round().item() for item in items] == [20, 80, 140]
    assert items[0]["label"].dtype == items[0]["index"].dtype == torch.int64


def test_the_same_pair_gives_the_same_image_whatever_came_between():
    cells = CellImages(fold(), "train", light(), seed=3)
    first = cells[(2, 1)]["image"]
    random.random(), torch.rand(3), cells[(0, 0)]
    assert torch.equal(cells[(2, 1)]["image"], first)


@pytest.mark.parametrize("other", [(3, (2, 2)), (3, (3, 1)), (4, (2, 1))])
def test_seed_epoch_and_image_each_change_the_augmentation(other):
    seed, key = other
    one = CellImages(fold(), "train", light(), seed=3)[(2, 1)]["image"]
    assert not torch.equal(CellImages(fold(), "train", light(), seed=seed)[key]["image"], one)


def test_a_repeat_is_the_same_cell_drawn_anew():
    cells = CellImages(fold(), "train", light(), seed=0)
    first, second = cells[(0, 1)], cells[(0, 1 + len(cells))]
    assert first["index"] == second["index"]
    assert not torch.equal(first["image"], second["image"])


def test_a_batch_is_its_items_stacked():
    cells = CellImages(fold(), "train", light(), seed=0)
    keys = [(0, 2), (1, 0), (1, 4)]
    batch, items = cells.__getitems__(keys), [cells[key] for key in keys]
    for name in ("image", "label", "index"):
        assert torch.equal(batch[name], torch.stack([item[name] for item in items]))


class Pair:
    """Two views that tell where they come from: the image's mean, and a number drawn."""

    views = 2

    def __init__(self):
        self.resize = resize_policy(name="short_side", image_size=8, target_um_per_pixel=None)

    def __call__(self, image, um_per_pixel):
        return torch.stack([torch.full((3, 8, 8), image.mean()), torch.rand(1).expand(3, 8, 8)])


def test_a_transform_of_two_views_gives_items_and_batches_of_two():
    cells = CellImages(fold(), "train", Pair(), seed=0)
    keys = [(0, 2), (1, 0), (1, 4)]  # the last is a repeat of the second image
    batch, items = cells.__getitems__(keys)["image"], [cells[key]["image"] for key in keys]
    assert batch.shape == (3, 2, 3, 8, 8)
    assert torch.equal(batch, torch.stack(items))
    assert [item[0, 0, 0, 0].item() for item in items] == [120, 0, 60]
    assert len({item[1, 0, 0, 0].item() for item in items}) == 3


def test_a_transform_of_one_view_has_no_axis_for_it():
    assert CellImages(fold(), "train", light(), seed=0).__getitems__([(0, 1)])["image"].shape == (1, 3, 8, 8)


def test_a_plain_position_means_epoch_0():
    cells = CellImages(fold(), "train", light(), seed=0)
    assert torch.equal(cells[2]["image"], cells[(0, 2)]["image"])


def test_preparing_an_image_leaves_the_global_generators_alone():
    cells = CellImages(fold(), "train", light(), seed=0)
    before = random.getstate(), torch.get_rng_state().tolist(), str(np.random.get_state())
    cells[(0, 1)]
    assert (random.getstate(), torch.get_rng_state().tolist(), str(np.random.get_state())) == before


def test_an_unknown_scale_stops_fixed_scale_before_training():
    with pytest.raises(UserError, match=r"data\.um_per_pixel must be given.*3 of 3 images"):
        CellImages(fold(um_per_pixel=math.nan), "train", light("fixed_scale"), seed=0)
