"""Batches of a pool."""

import pytest
import torch
from pools import pool_of

from mk11.data.pool_loader import PoolLoaders, PoolViews
from mk11.data.transforms.plain import Plain
from mk11.data.transforms.resize import FixedScale, ShortSide
from mk11.errors import UserError

PLAIN = Plain(resize=ShortSide(image_size=4, crop_fraction=1.0), mean=[0.5] * 3, std=[0.5] * 3)


class Rows:
    """Stands in for an augmentation: what an image is, and a random number."""

    resize = ShortSide(image_size=4, crop_fraction=1.0)

    def __init__(self, views=1):
        self.views = views

    def __call__(self, image, um_per_pixel):
        value = torch.full((3, 4, 4), float(image.sum())) + torch.rand(1)
        return torch.stack([value, -value]) if self.views == 2 else value


def loaders_of(pool, transform=None, **changed):
    keys = {"batch_size": 4, "accumulate": 1, "workers": 0, "seed": 3, **changed}
    return PoolLoaders(pool=pool, transform=transform or Rows(), **keys)


def epoch_rows(loader, epoch):
    loader.sampler.set_epoch(epoch)
    return [row for batch in loader for row in batch["index"].tolist()]


def test_every_epoch_has_another_order_on_one_device(cells):
    pool = pool_of(cells, training=True)
    loader = loaders_of(pool).train_dataloader()
    epochs = [epoch_rows(loader, epoch)[: len(pool.table)] for epoch in range(30)]
    assert len({tuple(rows) for rows in epochs}) == 30
    assert all(len(rows) == len(set(rows)) for rows in epochs)


@pytest.mark.parametrize("batch", [3, 5, 7, 11])
def test_each_image_is_seen_in_every_epoch(cells, batch):
    pool = pool_of(cells, training=True)
    count = len(pool.table)
    loader = loaders_of(pool, batch_size=batch).train_dataloader()
    for epoch in range(5):
        rows = epoch_rows(loader, epoch)
        assert len(rows) == -(-count // batch) * batch
        assert set(rows) == set(range(count))
        assert rows[count:] == rows[: len(rows) - count]  # repeats: those that came first


def test_a_repeat_within_an_epoch_is_drawn_anew(cells):
    loader = loaders_of(pool_of(cells, training=True), batch_size=11).train_dataloader()
    first, last = list(loader)[:: len(loader) - 1]
    count = len(loader.sampler) - loader.sampler.count
    assert count > 0
    assert torch.equal(first["index"][:count], last["index"][-count:])
    assert not torch.equal(first["image"][:count], last["image"][-count:])


@pytest.mark.parametrize("accumulate", [1, 2])
def test_devices_share_the_same_full_batches(cells, accumulate):
    """Of 24 images, or as many as the fold has: every step is a whole batch, whatever shares it."""
    pool = pool_of(cells, training=True)
    alone = loaders_of(pool, batch_size=12, accumulate=accumulate)
    assert alone.steps_per_epoch() == -(-len(pool.table) // 12)
    expected = epoch_rows(alone.train_dataloader(), 2)
    found = []
    for rank in (0, 1):
        shared = loaders_of(pool, batch_size=12, accumulate=accumulate)
        shared.place = lambda rank=rank: (rank, 2)
        found.append(epoch_rows(shared.train_dataloader(), 2))
    assert [row for pair in zip(*found, strict=True) for row in pair] == expected


def test_two_views_make_a_batch_of_pairs(cells):
    batch = next(iter(loaders_of(pool_of(cells, training=True), Rows(views=2)).train_dataloader()))
    assert batch["image"].shape == (4, 2, 3, 4, 4)
    torch.testing.assert_close(batch["image"][:, 0], -batch["image"][:, 1])


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_no_number(cells, workers):
    pool = pool_of(cells, training=True)
    batches = [
        [batch["image"] for batch in loaders_of(pool, workers=number).train_dataloader()]
        for number in (0, workers)
    ]
    assert all(torch.equal(one, two) for one, two in zip(*batches, strict=True))


def test_an_image_is_drawn_anew_in_each_epoch(cells):
    views = PoolViews(pool_of(cells, training=True), Rows(), 0)
    first, again, later = (views.__getitems__([(epoch, 2)])["image"] for epoch in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, later)


def test_a_batch_larger_than_the_pool_is_refused(cells):
    pool = pool_of(cells, training=True)
    with pytest.raises(
        UserError, match=f"batch_size must be at most {len(pool.table)}, the images of the pool"
    ):
        loaders_of(pool, batch_size=64)


def test_unknown_scales_are_refused_at_a_fixed_one(cells, crops):
    policy = FixedScale(image_size=4, target_um_per_pixel=1.0)
    transform = Plain(resize=policy, mean=[0.5] * 3, std=[0.5] * 3)
    with pytest.raises(UserError, match="um_per_pixel"):
        PoolViews(pool_of(cells, folders=[str(crops)]), transform, 0)
    assert len(PoolViews(pool_of(cells, folders=[str(crops)], um_per_pixel=0.2), transform, 0)) == 5
