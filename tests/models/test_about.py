"""What a weight file says of itself is checked: it may come from anyone."""

import json
import urllib.request
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from mk11.errors import UserError
from mk11.evaluation.probe.encoders import encoder_of
from mk11.models.about import REQUIRED, checked, heads, told_heads
from mk11.models.checkpoints import read_checkpoint, read_provenance
from mk11.models.classifier import create_classifier, create_encoder
from mk11.models.encoder_file import read_about

SOUND = {
    "method": "mae",
    "architecture": "test_vit",
    "options": {},
    "image_size": 32,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
    "trained_on": [],
}
FILE = Path("encoder.safetensors")
FETCHED = {"pretrained": True, "pretrained_cfg_overlay": {"url": "http://127.0.0.1:9/weights.pth"}}
BAD = [
    ({"options": FETCHED}, "options .* plain arguments of a network, none of which fetches or opens a file"),
    ({"options": {"pretrained_cfg": {"file": "x.pth"}}}, "options"),
    ({"options": {"checkpoint_path": "x.pth"}}, "options"),
    ({"options": {"cache_dir": "x"}}, "options"),
    ({"options": {"pretrained": False}}, "options"),
    ({"options": [1]}, "options"),
    ({"options": {"embed_layer": object()}}, "options"),
    ({"architecture": 5}, "architecture 5, which must be a name of timm's"),
    ({"architecture": "hf-hub:someone/network"}, "architecture"),
    ({"architecture": "local-dir:somewhere"}, "architecture"),
    ({"image_size": "32"}, "image_size '32', which must be a whole number of px"),
    ({"image_size": True}, "image_size"),
    ({"image_size": 0}, "image_size"),
    ({"mean": [0.5, 0.5]}, "mean .* three numbers"),
    ({"std": ["a", 1, 1]}, "std .* three numbers"),
    ({"std": [float("nan"), 1, 1]}, "std"),
    ({"num_heads": 0}, "num_heads"),
    ({"method": None}, "method"),
    ({"trained_on": "00ff"}, "trained_on .* a list of content hashes"),
    ({"trained_on": [1]}, "trained_on"),
]
each_bad = pytest.mark.parametrize(("changed", "told"), BAD)


@each_bad
def test_an_entry_of_another_kind_is_refused_and_named(changed, told):
    with pytest.raises(
        UserError, match=rf"sound header, but that of encoder\.safetensors has as {told}"
    ) as caught:
        checked(SOUND | changed, FILE)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@each_bad
def test_the_network_of_a_checkpoint_is_held_to_the_same_rules(changed, told):
    with pytest.raises(UserError, match="sound header"):
        checked({"classes": ["a"], "model": SOUND | changed}, FILE)


def test_what_is_sound_passes_unchanged():
    options = {
        "patch_size": [2, 2, 2],
        "drop_path_rate": 0.1,
        "act_layer": "gelu",
        "reg_tokens": 4,
        "fc_norm": None,
    }
    told = SOUND | {"options": options, "architecture": "vit_small_patch16_224.augreg_in1k", "commit": "abc"}
    assert checked(told, FILE) == told
    assert checked({}, FILE) == {}
    assert checked({"classes": ["a"], "model": told}, FILE) == {"classes": ["a"], "model": told}


@pytest.mark.parametrize("key", REQUIRED)
def test_a_header_that_lacks_an_entry_is_refused(key, tmp_path):
    told = {name: value for name, value in SOUND.items() if name != key}
    save_file({"weight": torch.ones(1)}, tmp_path / "a.safetensors", metadata={"mk11": json.dumps(told)})
    with pytest.raises(UserError, match=f"lacks {key}"):
        read_about(tmp_path / "a.safetensors")


@pytest.fixture
def no_network(monkeypatch):
    """Any look at another machine is noticed."""

    def asked(*_, **__):
        raise AssertionError("something was fetched")

    monkeypatch.setattr(urllib.request, "urlopen", asked)
    monkeypatch.setattr(torch.hub, "download_url_to_file", asked)
    monkeypatch.setattr("socket.socket.connect", asked)


def test_a_file_that_asks_for_a_url_is_refused_by_all_who_read_it(tmp_path, no_network):
    network = timm.create_model("test_vit", num_classes=0)
    path = tmp_path / "encoder.safetensors"
    save_file(network.state_dict(), path, metadata={"mk11": json.dumps(SOUND | {"options": FETCHED})})
    model = {"architecture": "test_vit", "image_size": 32, "options": {}, "weights": str(path)}
    classifier = {
        "num_classes": 3,
        "drop_path": None,
        "allow_partial": False,
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
    }
    for read in (
        lambda: read_about(path),
        lambda: read_provenance(path),
        lambda: read_checkpoint(path),
        lambda: encoder_of(path, class_token=False),
        lambda: create_encoder(**model),
        lambda: create_classifier(**model, **classifier),
    ):
        with pytest.raises(UserError, match="none of which fetches or opens a file"):
            read()


def test_a_checkpoint_that_asks_for_a_url_is_refused(tmp_path, no_network):
    state = timm.create_model("test_vit", num_classes=0).state_dict()
    told = {"classes": ["a"], "model": SOUND | {"options": FETCHED}}
    torch.save({"state_dict": state, "mk11": told}, tmp_path / "best.ckpt")
    for read in (read_provenance, read_checkpoint):
        with pytest.raises(UserError, match="none of which fetches or opens a file"):
            read(tmp_path / "best.ckpt")


def test_options_that_no_network_takes_are_told_in_a_sentence():
    with pytest.raises(UserError, match=r"model\.options must be arguments that timm's test_vit takes"):
        create_encoder(architecture="test_vit", image_size=32, options={"num_heads": 0})


def test_heads_are_read_from_any_network():
    with torch.device("meta"):
        assert heads(timm.create_model("vit_small_patch16_224")) == 6
        assert heads(timm.create_model("resnet18")) is None


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"num_heads": 12, "options": {"num_heads": 3}}, 12),
        ({"options": {"num_heads": 3}}, 3),
        ({"options": {"num_heads": [1, 2, 4, 8]}}, 1),
        ({"model": {"options": {"num_heads": 3}}}, 3),
        ({"num_heads": None, "options": {}}, None),
        ({"options": {"num_heads": "many"}}, None),
        ({}, None),
    ],
)
def test_heads_are_those_that_a_file_tells(told, expected):
    assert told_heads(told) == expected
