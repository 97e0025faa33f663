"""An encoder that has seen a validation or test image of a fold cannot start a run on that fold."""

import pytest
import torch
from hydra import compose, initialize_config_dir

from mk11.cli.job import Job
from mk11.cli.lineage import provenance
from mk11.errors import UserError
from mk11.models.classifier import create_encoder
from mk11.models.encoder_file import write_encoder

MODEL = ("model=mae_tiny", "model.options.depth=1")


@pytest.fixture
def job(overrides, pytestconfig):
    """A run that is not started."""

    def make(*more):
        with initialize_config_dir(str(pytestconfig.rootpath / "conf"), version_base="1.3"):
            cfg = compose("train", overrides=overrides(*MODEL, *more))
        return Job(cfg=cfg, choices={"model": "mae_tiny"}, overrides=[])

    return make


@pytest.fixture
def encoder(job, tmp_path):
    """A pre-trained encoder's file that says it has seen the first image of some splits."""

    def write(*splits):
        model, table = job().config["model"], job().fold.table
        network = create_encoder(architecture=model["architecture"], image_size=32, options=model["options"])
        told = {key: model[key] for key in ("architecture", "options", "mean", "std")}
        seen = [table.loc[table["split"] == split, "content_hash"].iloc[0] for split in splits]
        path = tmp_path / "encoder.safetensors"
        write_encoder(path, network, {**told, "method": "mae", "image_size": 32, "trained_on": seen})
        return network, path

    return write


@pytest.mark.parametrize("split", ["val", "test"])
def test_one_held_out_image_among_those_seen_is_enough_to_refuse(split, job, encoder):
    _, path = encoder("train", split)
    with pytest.raises(
        UserError, match=r"must not have seen the fold's validation or test images, .* 1 of this"
    ):
        _ = job(f"model.weights={path}").marks
    (told,) = job(f"model.weights={path}", "data.on_leak=warn").marks["weights"]
    assert str(path) in told


def test_an_encoder_of_the_training_split_starts_a_run(job, encoder):
    network, path = encoder("train")
    run = job(f"model.weights={path}")
    assert "weights" not in run.marks
    assert torch.equal(run.network.patch_embed.proj.weight, network.patch_embed.proj.weight)
    assert run.record()["lineage"]["report"]["method"] == "mae"


def test_train_refuses_before_it_trains(train_in_process, encoder, capsys):
    _, path = encoder("test")
    with pytest.raises(SystemExit):
        train_in_process(*MODEL, f"model.weights={path}")
    assert "model.weights must not have seen the fold's validation or test images" in capsys.readouterr().err


def test_weights_of_others_say_nothing(tmp_path):
    torch.save({"model": {"weight": torch.ones(1)}}, tmp_path / "official.pth")
    assert provenance(str(tmp_path / "official.pth")) == provenance("none") == provenance("imagenet") == {}
