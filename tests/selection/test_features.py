"""Features: those of the probe, computed once, whatever the order, the batches and the processes."""

import math
import threading
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from mk11.data.images import content_hash
from mk11.data.transforms.plain import Plain
from mk11.data.transforms.resize import FixedScale, resize_policy
from mk11.errors import UserError
from mk11.evaluation.probe.from_timm import encoder_of_timm
from mk11.models.features import pooled
from mk11.selection import features as module
from mk11.selection.features import Computing, Crop, Encoder, FeatureStore, crops_of

SIDE = 32
POLICY = resize_policy(name="short_side", image_size=SIDE, target_um_per_pixel=None)
CPU = Computing(torch.device("cpu"), None, batch_size=4, threads=2)
NAN = [math.nan]


class Colours(nn.Module):
    """Mean colour and its spread; counts the images it has seen."""

    def __init__(self):
        super().__init__()
        self.scale, self.batches = nn.Parameter(torch.ones(1)), []

    def forward_features(self, image):
        self.batches.append(len(image))
        return torch.cat([image.mean((2, 3)), image.std((2, 3))], 1) * self.scale

    def forward_head(self, features, pre_logits):
        return features


@dataclass
class Ready:
    network: nn.Module
    mean: tuple = (0.5, 0.5, 0.5)
    std: tuple = (0.25, 0.25, 0.25)


@dataclass
class Small:
    """An encoder that counts how often it is built."""

    name: str = "small"
    hash: str = "0123"
    image_size: int = SIDE
    about: dict = field(default_factory=lambda: {"architecture": "colours"})
    network: Colours = field(default_factory=Colours)
    built: int = 0

    def build(self):
        self.built += 1
        return Ready(self.network)


def pictures(count, seed=0):
    generator = np.random.default_rng(seed)
    shapes = generator.integers(20, 60, (count, 2))
    return [generator.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]


class Asked:
    """Crops by row, in the order asked for or backwards; remembers what was asked for."""

    def __init__(self, images, *, backwards=False):
        self.images, self.backwards, self.rows = images, backwards, []

    def __call__(self, rows):
        self.rows.append(list(rows))
        for row in reversed(rows) if self.backwards else rows:
            yield Crop(row, self.images[row], math.nan)


def store(folder, encoder, **changes):
    settings = {"resize": POLICY, "computing": CPU} | changes
    return FeatureStore(folder, encoder, **settings)


def asked(made, images, crops=None):
    crops = crops or Asked(images)
    return made.of([content_hash(image) for image in images], NAN * len(images), crops)


def test_features_are_those_of_the_evaluation_transform_in_order(tmp_path):
    images, encoder = pictures(11), Small()
    found = asked(store(tmp_path, encoder), images)
    plain = Plain(resize=POLICY, mean=Ready.mean, std=Ready.std)
    expected = [pooled(encoder.network, plain(image, math.nan)[None])[0] for image in images]
    assert found.dtype == np.float32
    assert found == pytest.approx(torch.stack(expected).detach().numpy(), abs=1e-6)


def test_the_probe_s_encoders_fit_and_their_features_do_not_depend_on_order(tmp_path):
    encoder = encoder_of_timm(
        "test_vit", weights="none", image_size=SIDE, class_token=False, seed=0, home=None
    )
    assert isinstance(encoder, Encoder)
    images = pictures(9)
    one = asked(store(tmp_path / "one", encoder), images)
    backwards = asked(store(tmp_path / "other", encoder), images, Asked(images, backwards=True))
    assert one.std(axis=0).max() > 0
    assert (one == backwards).all()


def test_what_is_known_is_not_asked_for_and_the_encoder_not_built(tmp_path):
    images, encoder = pictures(7), Small()
    first = asked(store(tmp_path, encoder), images[:5])
    crops, again = Asked(images), Small()
    found = asked(store(tmp_path, again), images, crops)
    assert crops.rows == [[5, 6]]
    assert (found[:5] == first).all()
    known = Small()
    assert (asked(store(tmp_path, known), images[::-1]) == found[::-1]).all()
    assert known.built == 0


def test_a_picture_that_is_there_twice_is_computed_once(tmp_path):
    images = pictures(3)
    crops, encoder = Asked([*images, images[0]]), Small()
    found = asked(store(tmp_path, encoder), crops.images, crops)
    assert crops.rows == [[0, 1, 2]]
    assert (found[0] == found[3]).all()


def test_every_batch_has_the_same_size(tmp_path):
    encoder = Small()
    asked(store(tmp_path, encoder), pictures(10))
    assert encoder.network.batches == [4, 4, 4]


@pytest.mark.parametrize(
    "change",
    [
        {"encoder": Small(hash="4567")},
        {"encoder": Small(about={"architecture": "colours", "class_token": True})},
        {"resize": FixedScale(image_size=SIDE, target_um_per_pixel=0.5)},
        {"computing": Computing(torch.device("cpu"), torch.bfloat16, batch_size=4, threads=2)},
    ],
)
def test_another_encoder_transform_or_precision_has_features_of_its_own(tmp_path, change):
    made = store(tmp_path, change.pop("encoder", Small()), **change)
    assert made.key != store(tmp_path, Small()).key


def test_batches_and_threads_share_their_features(tmp_path):
    other = Computing(torch.device("cpu"), None, batch_size=16, threads=1)
    assert store(tmp_path, Small(), computing=other).key == store(tmp_path, Small()).key


def test_at_a_fixed_scale_the_same_picture_at_two_scales_has_two_features(tmp_path):
    image = pictures(1)[0]
    made = store(tmp_path, Small(), resize=FixedScale(image_size=SIDE, target_um_per_pixel=0.5))
    scales = [0.25, 0.5, 0.25]
    found = made.of([content_hash(image)] * 3, scales, crops_of([image] * 3, scales))
    assert (found[0] == found[2]).all()
    assert (found[0] != found[1]).any()
    with pytest.raises(UserError, match="um_per_pixel must be known"):
        made.of([content_hash(image)], NAN, crops_of([image], NAN))


def test_a_killed_run_keeps_the_parts_it_has_finished(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PART", 3)
    images = pictures(8)

    def dies(rows):
        for row in rows:
            if row == 7:
                raise KeyboardInterrupt
            yield Crop(row, images[row], math.nan)

    with pytest.raises(KeyboardInterrupt):
        asked(store(tmp_path, Small()), images, dies)
    crops = Asked(images)
    asked(store(tmp_path, Small()), images, crops)
    assert crops.rows == [[6, 7]]


def test_two_that_start_at_once_compute_each_image_once(tmp_path):
    images, encoder = pictures(12), Small()
    encoder.network.scale.requires_grad_(False)
    found, asked_for = {}, [Asked(images), Asked(images)]
    made = [store(tmp_path, encoder) for _ in asked_for]
    barrier = threading.Barrier(2)

    def work(number):
        barrier.wait()
        found[number] = asked(made[number], images, asked_for[number])

    threads = [threading.Thread(target=partial(work, number)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row for crops in asked_for for rows in crops.rows for row in rows) == list(range(12))
    assert (found[0] == found[1]).all()


def test_a_crop_that_is_not_what_its_hash_says_is_refused(tmp_path):
    images = pictures(2)
    swapped = Asked(images[::-1])
    with pytest.raises(UserError, match="images must not change"):
        asked(store(tmp_path, Small()), images, swapped)


def test_infinite_features_are_refused_and_not_kept(tmp_path):
    encoder = Small()
    encoder.network.scale.data.fill_(math.inf)
    images = pictures(2)
    with pytest.raises(UserError, match="must give finite features, but small"):
        asked(store(tmp_path, encoder), images)
    assert asked(store(tmp_path, Small()), images).shape == (2, 6)


def test_no_more_than_a_part_of_the_crops_is_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PART", 4)
    images, ahead = pictures(14), []
    made = store(tmp_path, Small())

    def crops(rows):
        for row in rows:
            ahead.append(row - len(made.files.known([content_hash(image) for image in images])))
            yield Crop(row, images[row], math.nan)

    asked(made, images, crops)
    assert max(ahead) < 4
