"""However many fields there are, few of their pictures and crops are in memory at a time."""

import weakref
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mk11.data.images import read_rgb
from mk11.data.transforms.resize import ShortSide
from mk11.selection import features as features_module
from mk11.selection import field_crops, field_regions
from mk11.selection.features import Computing, FeatureStore
from mk11.selection.field_crops import FieldCrops
from mk11.selection.field_regions import find_regions
from mk11.selection.manifest import write_crops

FIELDS = 40  # more than a part of the search
CACHED = 4  # fields that crops are cut from, remembered


class Living:
    """Counts how many of the things that it was shown are still held by anybody."""

    def __init__(self):
        self.seen, self.most = [], 0

    def __call__(self, thing):
        self.seen = [one for one in self.seen if one() is not None] + [weakref.ref(thing)]
        self.most = max(self.most, len(self.seen))
        return thing


class Pixels(nn.Module):
    """The least that a network for features is."""

    def forward_features(self, image):
        return image.flatten(1)

    def forward_head(self, image, pre_logits):
        return image


@pytest.fixture
def living(monkeypatch):
    field_crops._read.cache_clear()
    pictures = Living()
    for module in (field_regions, field_crops):
        monkeypatch.setattr(module, "read_rgb", lambda path: pictures(read_rgb(path)))
    yield pictures
    field_crops._read.cache_clear()


@pytest.fixture
def searched(make_fields, search, tmp_path):
    fields = make_fields(*([(5, 5, 10), (30, 20, 8)] for _ in range(FIELDS)))
    regions = find_regions(fields, search=search, folder=tmp_path / "parts", workers=0).regions
    return FieldCrops(regions, fields, search.crop)


def test_the_search_holds_one_field(living, searched):
    assert len(searched.regions) == 2 * FIELDS
    assert living.most == 1


def test_crops_are_cut_from_few_fields_at_a_time(living, searched, tmp_path):
    paths = write_crops(tmp_path, searched.regions, searched.of, how="png")
    assert len(set(paths)) == 2 * FIELDS
    assert living.most <= CACHED + 1


def test_features_hold_a_part_of_the_crops_and_few_fields(living, searched, tmp_path, monkeypatch):
    monkeypatch.setattr(features_module, "PART", 8)
    network = SimpleNamespace(network=Pixels(), mean=(0.5,) * 3, std=(0.5,) * 3)
    encoder = SimpleNamespace(name="pixels", hash="0", image_size=8, about={}, build=lambda: network)
    store = FeatureStore(
        tmp_path / "features", encoder, resize=ShortSide(image_size=8, crop_fraction=1.0),
        computing=Computing(torch.device("cpu"), None, batch_size=4, threads=1),
    )  # fmt: skip
    crops, hashes = Living(), searched.regions["crop_hash"].tolist()

    def shown(rows):
        for crop in searched.of(rows):
            crops(crop.image)
            yield crop

    values = store.of(hashes, searched.regions["um_per_pixel"].tolist(), shown)
    assert values.shape == (2 * FIELDS, 8 * 8 * 3)
    assert crops.most <= 2 * 8 + 1  # a part, and the one that takes its place
    assert living.most <= CACHED + 1
