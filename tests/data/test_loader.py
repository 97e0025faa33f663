"""Loaders: the same numbers for any number of workers, every image accounted for."""

import random
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch

from mk11.data.batches import device_batch_size
from mk11.data.cells import Fold
from mk11.data.loader import CellLoaders
from mk11.data.transforms.paper import Paper
from mk11.data.transforms.plain import Plain
from mk11.data.transforms.resize import resize_policy
from mk11.errors import UserError

NORMAL = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
POLICY = resize_policy(name="short_side", image_size=16, target_um_per_pixel=None)
RECIPE = {"scale": (0.08, 1.0), "ratio": (0.75, 4 / 3), "hflip": 0.5, "re_prob": 0.25, "re_mode": "pixel"}
TRAIN, VAL, TEST = 22, 7, 5


def fold():
    splits = ["train"] * TRAIN + ["val"] * VAL + ["test"] * TEST
    generator = np.random.default_rng(0)
    table = pd.DataFrame({"id": [f"{i}.png" for i in range(len(splits))], "split": splits})
    table["label"] = [i % 4 for i in range(len(splits))]
    table["um_per_pixel"] = np.nan
    pixels = [generator.integers(0, 256, (20 + i % 3, 24, 3), dtype=np.uint8) for i in range(len(splits))]
    return Fold(
        table=table,
        classes=tuple("abcd"),
        fold=0,
        fingerprint="0" * 16,
        set_fingerprint="0" * 16,
        folds=(0, 1),
        holdout=0,
        marks={},
        pixels=pixels,
    )


def loaders(workers=0, batch_size=6, accumulate=1, seed=0, sample_weights=None):
    paper = Paper(resize=POLICY, **NORMAL, **RECIPE, re_count=1, auto_augment="rand-m9-mstd0.5-inc1")
    return CellLoaders(
        fold=fold(),
        train_transform=paper,
        eval_transform=Plain(resize=POLICY, **NORMAL),
        batch_size=batch_size,
        accumulate=accumulate,
        workers=workers,
        seed=seed,
        sample_weights=sample_weights,
    )


def epoch_of(loader, epoch):
    loader.sampler.set_epoch(epoch)
    batches = list(loader)
    return torch.cat([b["image"] for b in batches]), torch.cat([b["index"] for b in batches]).tolist()


def two_epochs(workers):
    loader = loaders(workers).train_dataloader()
    return [epoch_of(loader, epoch) for epoch in (0, 1)]


def test_numbers_do_not_depend_on_the_number_of_workers_and_epochs_differ():
    (images_0, order_0), (images_1, order_1) = two_epochs(0)
    for workers in (1, 2):
        for (images, order), expected in zip(two_epochs(workers), [0, 1], strict=True):
            assert order == (order_0, order_1)[expected]
            assert torch.equal(images, (images_0, images_1)[expected])
    assert order_0 != order_1
    seen_twice = set(order_0) & set(order_1)
    assert not any(torch.equal(images_0[order_0.index(i)], images_1[order_1.index(i)]) for i in seen_twice)


def test_an_epoch_can_be_repeated_without_those_before_it():
    _, (images, order) = two_epochs(0)
    again, same = epoch_of(loaders().train_dataloader(), 1)
    assert same == order
    assert torch.equal(again, images)


def test_loading_consumes_none_of_the_training_process_random_numbers():
    module = loaders()
    before = torch.get_rng_state().tolist(), random.getstate(), str(np.random.get_state())
    for loader in (module.train_dataloader(), module.val_dataloader(), module.loader("test")):
        assert sum(len(batch["index"]) for batch in loader) > 0
    assert (torch.get_rng_state().tolist(), random.getstate(), str(np.random.get_state())) == before


def test_training_leaves_out_a_smaller_last_batch_and_another_one_each_epoch():
    loader = loaders(batch_size=6).train_dataloader()
    seen = [epoch_of(loader, epoch)[1] for epoch in range(6)]
    assert {len(order) for order in seen} == {18}
    assert set().union(*seen) == set(range(TRAIN))


def test_a_training_split_smaller_than_a_batch_is_still_trained_on():
    _, order = epoch_of(loaders(batch_size=64).train_dataloader(), 0)
    assert sorted(order) == list(range(TRAIN))


@pytest.mark.parametrize("workers", [0, 2])
def test_validation_and_test_hold_each_image_once_in_the_tables_order(workers):
    module = loaders(workers)
    assert epoch_of(module.val_dataloader(), 3)[1] == list(range(TRAIN, TRAIN + VAL))
    assert epoch_of(module.loader("test"), 0)[1] == list(range(TRAIN + VAL, TRAIN + VAL + TEST))
    assert epoch_of(module.loader("train"), 0)[1] == list(range(TRAIN))


def test_labels_and_images_belong_together():
    module = loaders()
    plain, table = module.eval_transform, module.fold.table
    for batch in module.loader("val"):
        for image, label, index in zip(batch["image"], batch["label"], batch["index"].tolist(), strict=True):
            assert label == table["label"][index]
            assert torch.equal(image, plain(module.fold.pixels[index], float("nan")))


def on_device(rank, world_size, **how):
    module = loaders(**how)
    begun = SimpleNamespace(epoch_progress=SimpleNamespace(current=SimpleNamespace(processed=0)))
    module.trainer = SimpleNamespace(global_rank=rank, world_size=world_size, fit_loop=begun)
    return module


def test_two_devices_share_each_global_batch_and_the_validation_split():
    single = epoch_of(loaders(batch_size=4).train_dataloader(), 1)[1]
    parts = [epoch_of(on_device(rank, 2, batch_size=4).train_dataloader(), 1)[1] for rank in (0, 1)]
    assert [index for pair in zip(*parts, strict=True) for index in pair] == single
    val = [epoch_of(on_device(rank, 2).val_dataloader(), 0)[1] for rank in (0, 1)]
    assert sorted(val[0] + val[1]) == list(range(TRAIN, TRAIN + VAL))
    assert len(val[0]) == len(val[1]) + 1


def test_weights_draw_some_images_more_often_and_each_time_anew():
    weights = np.ones(TRAIN)
    weights[5] = 1000.0
    images, order = epoch_of(loaders(sample_weights=weights).train_dataloader(), 0)
    repeats = [image for image, index in zip(images, order, strict=True) if index == 5]
    assert len(repeats) > 12
    assert all(not torch.equal(repeats[0], other) for other in repeats[1:])


def test_the_batch_of_a_device_is_the_global_one_shared_out():
    assert device_batch_size(64, world_size=2, accumulate=4) == 8
    assert loaders(batch_size=12, accumulate=3).train_dataloader().batch_size == 4


@pytest.mark.parametrize(
    ("batch_size", "world_size", "accumulate"), [(6, 4, 1), (6, 2, 2), (0, 1, 1), (2, 2, 2)]
)
def test_a_batch_that_cannot_be_shared_out_is_refused_by_name(batch_size, world_size, accumulate):
    with pytest.raises(
        UserError, match=rf"batch_size must be .*{world_size} x {accumulate}.*but is {batch_size}"
    ):
        device_batch_size(batch_size, world_size=world_size, accumulate=accumulate)


class Watcher(pl.LightningModule):
    """Writes down the rows it is shown."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.shown: dict[int, list[int]] = {}

    def training_step(self, batch, _):
        self.shown.setdefault(self.current_epoch, []).extend(batch["index"].tolist())
        return self.weight.sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def test_lightning_sets_the_epoch_of_the_sampler(tmp_path):
    watcher = Watcher()
    trainer = pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        log_every_n_steps=1,
        limit_val_batches=0,
    )
    loader = loaders(workers=2).train_dataloader()
    trainer.fit(watcher, loader)
    expected = loaders().train_dataloader()
    assert watcher.shown == {epoch: epoch_of(expected, epoch)[1] for epoch in range(3)}
