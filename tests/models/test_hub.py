"""`model.weights=imagenet` with a cache, with a hub (a stand-in on this machine) and without."""

import contextlib
import socket
import time
import warnings

import huggingface_hub.constants
import pytest
import timm
import torch
from safetensors.torch import save_file

from mk11.errors import UserError
from mk11.models import hub
from mk11.models.classifier import create_classifier

IMAGENET = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    return tmp_path / "cache"


def create(**changes):
    arguments = {
        "architecture": "test_resnet",
        "num_classes": 3,
        "image_size": 32,
        "drop_path": None,
        "weights": "imagenet",
        "allow_partial": False,
        "options": {},
    }
    return create_classifier(**arguments | IMAGENET | changes)


def published_weights(path):
    torch.manual_seed(7)
    state = timm.create_model("test_resnet").state_dict()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)
    return state


def fill_cache(cache):
    repository = cache / "models--timm--test_resnet.r160_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    return published_weights(repository / "snapshots" / ("0" * 40) / "model.safetensors")


def point_hub_at(monkeypatch, port):
    monkeypatch.setattr(hub, "hf_hub_url", lambda repository, file: f"http://127.0.0.1:{port}/{file}")


@contextlib.contextmanager
def listening():
    """A port that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_cached_file_is_loaded_without_asking_the_hub(empty_cache, monkeypatch):
    state = fill_cache(empty_cache)
    monkeypatch.setattr(hub, "get_hf_file_metadata", lambda *_, **__: pytest.fail("asked the hub"))
    network = create()
    report = network.weights_report
    assert torch.equal(network.state_dict()["layer1.0.conv1.weight"], state["layer1.0.conv1.weight"])
    assert (report.missing, report.replaced) == ((), ("fc.weight", "fc.bias"))
    assert (report.source, report.content_hash) == ("imagenet", "test_resnet.r160_in1k")


def test_a_hub_that_answers_is_downloaded_from(tmp_path, monkeypatch):
    state = published_weights(tmp_path / "downloaded.safetensors")
    monkeypatch.setattr(hub, "get_hf_file_metadata", lambda *_, **__: None)
    monkeypatch.setattr(hub, "hf_hub_download", lambda *_: str(tmp_path / "downloaded.safetensors"))
    assert torch.equal(create().state_dict()["conv1.0.weight"], state["conv1.0.weight"])


def test_a_download_that_breaks_off_is_told_in_the_same_sentence(monkeypatch):
    def break_off(*_):
        raise ConnectionResetError

    monkeypatch.setattr(hub, "get_hf_file_metadata", lambda *_, **__: None)
    monkeypatch.setattr(hub, "hf_hub_download", break_off)
    with pytest.raises(UserError, match=r"cannot be fetched now \(ConnectionResetError\)"):
        create()


def test_without_a_network_one_sentence_says_what_to_place_where(monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        point_hub_at(monkeypatch, unused.getsockname()[1])  # free again below: refused at once
    begin = time.monotonic()
    with pytest.raises(UserError) as caught:
        create()
    assert time.monotonic() - begin < 10
    for part in ("model.safetensors", "timm/test_resnet.r160_in1k", "model.weights=PATH"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_that_swallows_packets_costs_no_more_than_the_probe(monkeypatch):
    monkeypatch.setattr(hub, "PROBE_SECONDS", 0.3)
    with listening() as port:
        point_hub_at(monkeypatch, port)
        begin = time.monotonic()
        with pytest.raises(UserError, match=r"model\.weights=imagenet needs"):
            create()
        assert time.monotonic() - begin < 3


def test_the_probe_leaves_half_of_the_ten_seconds_to_everything_else():
    assert hub.PROBE_SECONDS <= 5


def test_a_forced_offline_hub_is_not_asked(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    begin = time.monotonic()
    with pytest.raises(UserError, match=r"cannot be fetched now \(OfflineModeIsEnabled\)"):
        create()
    assert time.monotonic() - begin < 3


def test_weights_under_another_normalisation_are_warned_of(empty_cache):
    fill_cache(empty_cache)
    with pytest.warns(
        UserWarning, match=r"r160_in1k was trained with mean .*0\.5.* but model\.mean is \(0\.4"
    ):
        create(mean=(0.485, 0.456, 0.406))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        create()
