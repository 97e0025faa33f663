"""encoder.safetensors: what pre-training hands on."""

import hashlib
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mk11.errors import UserError
from mk11.models.about import REQUIRED
from mk11.models.checkpoints import read_checkpoint, read_provenance
from mk11.models.classifier import create_classifier, create_encoder
from mk11.models.encoder_file import (
    TRAINED_ON,
    file_hash,
    is_safetensors,
    read_about,
    read_tensors,
    write_encoder,
)
from mk11.models.weights import weights_hash

ENCODERS = {  # architecture: options
    "mae_vit_tiny": {"depth": 2, "patch_size": 8},
    "convmae_tiny": {"depth": [1, 1, 1]},
    "mixmim_tiny": {"depths": [1, 1, 2, 1]},
    "mocov3_vit_tiny": {"depth": 2},
    "mocov3_vit_conv_tiny": {"depth": 2},
    "test_resnet": {},
    "test_vit": {},
}
FRESH_NORM = ("mae_vit_tiny", "convmae_tiny")  # fine-tuned on the mean of the patches, with a norm after it
every_encoder = pytest.mark.parametrize("architecture", ENCODERS)
HASHES = ["00ff" * 8, "f1" * 16, "01" * 16]
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def encoder_of(architecture, *, seed=1, image_size=64, weights="none"):
    torch.manual_seed(seed)
    options = ENCODERS[architecture]
    network = create_encoder(
        architecture=architecture, image_size=image_size, options=options, weights=str(weights)
    )
    for parameter in network.parameters():  # so that no two networks agree where they start from constants
        parameter.data.add_(0.01 * torch.randn_like(parameter)) if weights == "none" else None
    return network


def classifier_of(architecture, *, weights, image_size=64):
    return create_classifier(
        architecture=architecture,
        num_classes=5,
        image_size=image_size,
        drop_path=None,
        weights=str(weights),
        allow_partial=False,
        options=ENCODERS[architecture],
        **IMAGENET,
    )


def about(architecture, **more):
    return {
        "method": "mae",
        "architecture": architecture,
        "options": ENCODERS[architecture],
        "image_size": 64,
        "trained_on": HASHES,
        "epochs": 3,
        **IMAGENET,
        **more,
    }


def written(architecture, folder, **more):
    network = encoder_of(architecture)
    write_encoder(folder / "encoder.safetensors", network, about(architecture, **more))
    return network, folder / "encoder.safetensors"


@every_encoder
def test_an_encoder_comes_back_with_its_features(architecture, tmp_path):
    network, path = written(architecture, tmp_path)
    again = encoder_of(architecture, seed=2, weights=path)
    report = again.weights_report
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(again.eval()(image), network.eval()(image))
    assert (report.missing, report.unexpected, report.replaced) == ((), (), ())
    assert set(network.state_dict()) - set(report.matched) == {
        name for name in network.state_dict() if name.endswith("relative_position_index")
    }


@every_encoder
def test_fine_tuning_starts_from_the_whole_encoder_and_a_fresh_head(architecture, tmp_path):
    network, path = written(architecture, tmp_path)
    again = classifier_of(architecture, weights=path)
    report, own, theirs = again.weights_report, again.state_dict(), network.state_dict()
    assert all(torch.equal(own[name], theirs[name]) for name in report.matched)
    dropped = {name for name in report.aside if name.startswith("norm.")}
    assert dropped == ({"norm.weight", "norm.bias"} if architecture in FRESH_NORM else set())
    head = {id(p) for p in again.get_classifier().parameters()}
    fresh = {name for name, p in again.named_parameters() if id(p) in head or name.startswith("fc_norm.")}
    assert set(report.replaced) == fresh
    assert (report.missing, report.unexpected) == ((), ())


@pytest.mark.parametrize("architecture", ["mae_vit_tiny", "convmae_tiny", "mixmim_tiny", "mocov3_vit_tiny"])
def test_an_encoder_starts_at_another_image_size(architecture, tmp_path):
    _, path = written(architecture, tmp_path)
    network = classifier_of(architecture, weights=path, image_size=128)
    with torch.no_grad():
        assert network.eval()(torch.rand(1, 3, 128, 128)).isfinite().all()
    assert network.weights_report.missing == ()


def test_the_file_says_what_it_is_in_its_header_and_beside_it(tmp_path):
    network, path = written("test_vit", tmp_path, commit="0123abc", lineage={"selection": None})
    told = about("test_vit", commit="0123abc", lineage={"selection": None})
    told["num_heads"] = network.blocks[0].attn.num_heads
    assert read_about(path) == read_provenance(path) == read_checkpoint(path).provenance == told
    beside = json.loads((tmp_path / "encoder.json").read_text())
    seen = {"images": 3, "sha256": hashlib.sha256("".join(sorted(HASHES)).encode()).hexdigest()}
    assert beside == told | {"trained_on": seen, "content_hash": file_hash(path)}
    assert weights_hash(str(path), architecture="test_vit") == beside["content_hash"]
    assert read_tensors(path).keys() == network.state_dict().keys()
    assert load_file(path).keys() == network.state_dict().keys() | {TRAINED_ON}, "for any reader"


def test_the_hashes_of_images_seen_are_bytes_beside_the_tensors_and_not_in_the_header(tmp_path):
    _, path = written("test_vit", tmp_path)
    with safe_open(path, framework="pt") as file:
        assert "trained_on" not in json.loads(file.metadata()["mk11"])
        table = file.get_tensor(TRAINED_ON)
    assert (table.dtype, table.shape) == (torch.uint8, (3, 16))
    assert table[0].tolist() == [0x00, 0xFF] * 8
    written("test_vit", tmp_path, trained_on=[])
    assert read_about(path)["trained_on"] == []


def test_a_file_of_before_has_its_hashes_in_the_header(tmp_path):
    network, path = encoder_of("test_vit"), tmp_path / "encoder.safetensors"
    save_file(network.state_dict(), path, metadata={"mk11": json.dumps(about("test_vit"))})
    assert read_about(path) == about("test_vit")
    assert encoder_of("test_vit", weights=path).weights_report.unexpected == ()


def test_the_header_does_not_grow_with_the_images_seen(tmp_path):
    """It must stay below 100 MB, which 2.6 million hashes in it would fill."""
    sizes = []
    for count in (1, 5000):
        _, path = written("test_resnet", tmp_path, trained_on=[f"{number:032x}" for number in range(count)])
        assert len(read_about(path)["trained_on"]) == count
        sizes.append(int.from_bytes(path.read_bytes()[:8], "little"))
    assert sizes[1] - sizes[0] < 100


def test_hashes_that_are_no_bytes_are_refused(tmp_path):
    path = tmp_path / "encoder.safetensors"
    save_file({TRAINED_ON: torch.ones(3)}, path, metadata={"mk11": json.dumps(about("test_vit"))})
    with pytest.raises(UserError, match="are no bytes"):
        read_about(path)


@pytest.mark.parametrize("key", REQUIRED)
def test_a_file_that_could_not_be_trusted_is_not_written(key, tmp_path):
    told = about("test_vit")
    del told[key]
    with pytest.raises(AssertionError, match=key):
        write_encoder(tmp_path / "encoder.safetensors", torch.nn.Linear(1, 1), told)
    assert not list(tmp_path.iterdir())


def test_numbers_that_json_does_not_have_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_encoder(
            tmp_path / "encoder.safetensors", torch.nn.Linear(1, 1), about("test_vit", loss=float("nan"))
        )
    assert not list(tmp_path.iterdir())


def test_a_safetensors_file_of_others_says_nothing(tmp_path):
    save_file({"weight": torch.ones(1)}, tmp_path / "plain.safetensors")
    save_file({"weight": torch.ones(1)}, tmp_path / "list.safetensors", metadata={"mk11": "[1]"})
    assert read_about(tmp_path / "plain.safetensors") == {}
    assert read_about(tmp_path / "list.safetensors") == {}


def test_a_damaged_file_is_told_in_one_sentence(tmp_path):
    _, path = written("test_vit", tmp_path)
    whole = path.read_bytes()
    for name, content in (("half", whole[: len(whole) // 2]), ("header", whole[:20])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match="damaged or half-written") as caught:
            read_about(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        with pytest.raises(UserError, match="half-written"):
            read_provenance(tmp_path / name)
    save_file({"weight": torch.ones(1)}, tmp_path / "no_json.safetensors", metadata={"mk11": "{"})
    with pytest.raises(UserError, match="damaged"):
        read_about(tmp_path / "no_json.safetensors")


def test_a_short_file_is_no_safetensors_file(tmp_path):
    (tmp_path / "short").write_bytes(b"12345")
    assert not is_safetensors(tmp_path / "short")
