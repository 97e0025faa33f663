"""Encoders from run folders, files and timm."""

import shutil

import pytest
import timm
import torch
from safetensors.torch import save_file

from mk11.errors import UserError
from mk11.evaluation.probe.encoders import encoder_of, untrained
from mk11.evaluation.probe.from_timm import encoder_of_timm
from mk11.models.classifier import create_encoder
from mk11.models.encoder_file import read_tensors
from mk11.models.features import pooled

IMAGE = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def features_of(network):
    with torch.no_grad():
        return pooled(network.eval(), IMAGE)


def timm_encoder(name="test_vit", **changes):
    options = {"weights": "none", "image_size": 32, "class_token": False, "seed": 0, "home": None}
    return encoder_of_timm(name, **(options | changes))


def test_a_pretraining_run_gives_its_encoder(run):
    encoder = encoder_of(run, class_token=False)
    ready = encoder.build()
    stored = read_tensors(run / "encoder.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in ready.network.state_dict().items()} == {
        name: tuple(tensor.shape) for name, tensor in stored.items()
    }
    assert all(torch.equal(tensor, stored[name]) for name, tensor in ready.network.state_dict().items())
    assert (encoder.image_size, ready.mean, ready.std) == (32, [0.5] * 3, [0.5] * 3)
    assert encoder.home == run
    assert encoder.name == "folder/mae/fold1"
    assert encoder.config["fold"] == 1


def test_untrained_is_the_same_network_as_its_seed_draws_it(run):
    encoder = encoder_of(run, class_token=False)
    one, same, other = (untrained(encoder, seed=seed).build() for seed in (5, 5, 6))
    assert torch.equal(features_of(one.network), features_of(same.network))
    assert not torch.equal(features_of(one.network), features_of(other.network))
    trained = encoder.build()
    assert not torch.equal(features_of(one.network), features_of(trained.network))
    assert [*one.network.state_dict()] == [*trained.network.state_dict()]
    assert (one.mean, one.std) == (trained.mean, trained.std)
    assert not untrained(encoder, seed=0).trained_on


def test_a_trained_classifier_can_be_drawn_anew(train_in_process):
    _, job = train_in_process("model=resnet_test", "epochs=1")
    encoder = encoder_of(job.folder.path, class_token=False)
    drawn, trained = untrained(encoder, seed=0).build(), encoder.build()
    assert not torch.equal(features_of(drawn.network), features_of(trained.network))


def test_its_file_alone_gives_the_same_encoder_in_its_run(run):
    of_folder, of_file = (encoder_of(path, class_token=False) for path in (run, run / "encoder.safetensors"))
    assert (of_file.hash, of_file.trained_on, of_file.config) == (
        of_folder.hash,
        of_folder.trained_on,
        of_folder.config,
    )
    assert torch.equal(features_of(of_file.build().network), features_of(of_folder.build().network))


def test_a_file_that_was_copied_away_knows_no_run(run, tmp_path):
    copied = tmp_path / "elsewhere" / "encoder.safetensors"
    copied.parent.mkdir()
    shutil.copy(run / "encoder.safetensors", copied)
    encoder = encoder_of(copied, class_token=False)
    assert encoder.config is None
    assert encoder.trained_on  # stays in the file


def test_a_network_of_timm_is_drawn_from_the_seed():
    one, same, other = (timm_encoder(seed=seed) for seed in (0, 0, 1))
    assert torch.equal(features_of(one.build().network), features_of(same.build().network))
    assert not torch.equal(features_of(one.build().network), features_of(other.build().network))
    assert one.hash != other.hash
    assert one.home.name == "test_vit-none-seed0"


def test_a_network_of_timm_has_timms_size_and_normalisation():
    encoder = timm_encoder("test_resnet", image_size=None)
    known = timm.get_pretrained_cfg("test_resnet")
    ready = encoder.build()
    assert encoder.image_size == known.input_size[-1] == 160
    assert (tuple(ready.mean), tuple(ready.std)) == (known.mean, known.std)
    assert not encoder.trained_on


def test_a_file_of_weights_fills_a_network_of_timm(tmp_path):
    torch.manual_seed(5)
    source = timm.create_model("test_resnet", num_classes=7)
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    encoder = timm_encoder("test_resnet", weights=str(tmp_path / "weights.safetensors"))
    assert torch.allclose(features_of(encoder.build().network), features_of(source), atol=1e-6)


def test_our_own_file_under_a_timm_name_still_tells_what_it_saw(run):
    encoder = timm_encoder(weights=str(run / "encoder.safetensors"))
    assert encoder.trained_on == encoder_of(run, class_token=False).trained_on


def test_the_class_token_can_be_read_where_the_network_would_average():
    mean, token = (timm_encoder("mae_vit_tiny", class_token=asked).build().network for asked in (False, True))
    token.load_state_dict(mean.state_dict())
    with torch.no_grad():
        tokens = mean.eval().forward_features(IMAGE)  # (images, 1 + patches, dim)
    assert torch.allclose(features_of(mean), tokens[:, 1:].mean(1), atol=1e-5)
    assert torch.allclose(features_of(token), tokens[:, 0], atol=1e-5)


@pytest.mark.parametrize("name", ["convmae_tiny", "test_resnet"])
def test_a_class_token_is_refused_where_there_is_none(name):
    with pytest.raises(UserError, match="token"):
        timm_encoder(name, class_token=True).build()


def test_a_finished_run_gives_the_features_under_its_head(train_in_process):
    _, job = train_in_process("model=vit_test", "epochs=1")
    encoder = encoder_of(job.folder.path, class_token=False)
    ready = encoder.build()
    best = torch.load(job.folder.best, weights_only=True)["state_dict"]
    assert torch.equal(ready.network.state_dict()["head.weight"], best["network.head.weight"])
    assert features_of(ready.network).shape == (3, 64)
    table = job.fold.table
    assert encoder.trained_on == set(table.loc[table["split"] == "train", "content_hash"])
    assert encoder.config["data"]["root"] == str(job.data.root)
    with pytest.raises(UserError, match="--class-token is for encoders"):
        encoder_of(job.folder.path, class_token=True)
    job.folder.update({"status": "interrupted"})
    with pytest.raises(UserError, match="RUN must be a finished run"):
        encoder_of(job.folder.path, class_token=False)


def test_what_is_no_encoder_is_told(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match="does not say what it holds"):
        encoder_of(tmp_path / "a.safetensors", class_token=False)
    (tmp_path / "notes.txt").write_text("nothing")
    for path in (tmp_path, tmp_path / "absent", tmp_path / "notes.txt"):
        with pytest.raises(UserError, match="RUN must be a finished run"):
            encoder_of(path, class_token=False)
    with pytest.raises(UserError, match="--encoder must name a network"):
        timm_encoder("no_such_network")
    with pytest.raises(UserError, match="there is no file"):
        timm_encoder(weights="/no/such/file.pth")


def test_an_encoders_features_come_from_its_trained_norm():
    """Through a classifier MAE's norm would be lost: a fresh one stands in its place."""
    encoder = create_encoder(architecture="mae_vit_tiny", image_size=32, options={})
    before = features_of(encoder)
    encoder.norm.weight.data.mul_(2)
    assert torch.allclose(features_of(encoder), 2 * before, atol=1e-5)
