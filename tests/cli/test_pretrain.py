"""`pretrain.py` from end to end, in this process, on a few dozen images."""

import shlex
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import composed
from interrupted import TIMES, same_weights, weights

from mk11.cli.lineage import inherited_marks
from mk11.cli.pretrain.job import PretrainJob
from mk11.cli.pretrain.summary import next_command
from mk11.files import read_json
from mk11.models.encoder_file import read_about

SMALL = ("model=mae_tiny", "model.options.depth=1", "epochs=1")  # a training from the encoder
METHODS = ("mae", "convmae", "mocov3", "mixmim")


def test_a_run_leaves_an_encoder_and_how_it_fared(pretrain_in_process, capsys):
    value, job = pretrain_in_process("logger=tensorboard")
    folder = job.folder
    assert folder.path.parts[-4:-1] == ("pretrain", "folder", "mae")
    assert folder.path.name == f"fold0-seed0-{job.identity}"
    present = {path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*") if path.is_file()}
    assert {
        "config.yaml", "run.json", "metrics.csv", "metrics.json", "encoder.safetensors", "encoder.json",
        "checkpoints/last.ckpt", "figures/pretraining.svg", "figures/pictures_epoch0002.png",
    } <= present  # fmt: skip
    assert "checkpoints/good.ckpt" not in present
    assert any(name.startswith("tensorboard/events") for name in present)
    rows = pd.read_csv(folder.history)
    assert rows["epoch"].tolist() == [1, 2]
    assert {"pretrain/loss", "val/probe_f1_macro", "val/knn_f1_macro", "health/feature_std", "health/rankme",
            "lr", *TIMES} <= set(rows)  # fmt: skip
    metrics = read_json(folder.metrics)
    assert value == metrics["final"]["probe_f1_macro"] == pytest.approx(rows["val/probe_f1_macro"].iloc[-1])
    assert metrics["final"]["loss"] == pytest.approx(rows["pretrain/loss"].iloc[-1])
    assert [check["epoch"] for check in metrics["checks"]] == [1, 2]
    said = capsys.readouterr().out
    assert f"next: python train.py model=mae_tiny model.weights={folder.encoder}" in said


def test_run_json_tells_what_was_learnt_from_and_what_was_left_out(
    pretrain_in_process, pretrain_job, tmp_path
):
    table = pretrain_job().fold.table
    (tmp_path / "crops").mkdir()
    for name, split in (("held_out", "test"), ("copy", "train")):
        shutil.copy(table.loc[table["split"] == split, "path"].iloc[0], tmp_path / "crops" / f"{name}.png")
    (tmp_path / "crops" / "broken.png").write_bytes(b"no image")
    keys = (f"pool.folders=[{tmp_path / 'crops'}]", "data.on_bad_image=skip")
    _, job = pretrain_in_process("pool=mixed", *keys, "epochs=1")
    record = read_json(job.folder.record)
    counts = record["pool"]["counts"]
    assert (counts["folders"], counts["held_out"], counts["copies"]) == (2, 1, 1)
    assert list(record["pool"]["skipped"]) == ["broken.png"]
    assert (record["stage"], record["model"], record["status"]) == ("pretrain", "mae", "finished")
    assert record["pool"]["fingerprint"] == job.pool.fingerprint
    assert record["pool"]["counts"]["used"] == int((job.fold.table["split"] == "train").sum())
    assert {"commit", "versions", "device", "seconds", "overrides", "choices"} <= set(record)


def test_the_encoder_says_what_it_is_and_what_it_has_seen(pretrain_in_process):
    _, job = pretrain_in_process("epochs=1")
    about = read_about(job.folder.encoder)
    assert about["method"] == "mae"
    assert about["architecture"] == "mae_vit_tiny"
    assert about["trained_on"] == sorted(job.pool.table["content_hash"])
    assert about["identity"] == job.identity
    assert about["ssl"]["mask_ratio"] == 0.75
    assert read_json(job.folder.encoder.with_suffix(".json"))["pool"]["counts"] == job.pool.counts


def test_training_starts_from_the_encoder(pretrain_in_process, train_in_process, capsys):
    _, job = pretrain_in_process("epochs=1")
    _, tuned = train_in_process(f"model.weights={job.folder.encoder}", *SMALL)
    report = read_json(tuned.folder.record)["lineage"]["report"]
    assert report["missing"] == []
    with pytest.raises(SystemExit):
        train_in_process(f"model.weights={job.folder.encoder}", "fold=1", *SMALL)
    assert "must not have seen the fold's validation or test images" in capsys.readouterr().err


def test_one_device_looks_with_its_own_share_of_the_batch(pretrain_job):
    loaders = pretrain_job("accumulate=4").watch.check.loaders
    assert loaders.loader("val").batch_size == 4


def test_an_encoder_that_a_search_has_chosen_says_so_in_all_that_follows(
    pretrain_in_process, train_in_process
):
    _, job = pretrain_in_process("epochs=1", "analysis.tuned=hparams")
    told = "the encoder was chosen by hparams on the same folds"
    assert read_json(job.folder.record)["tuned"] == "hparams"
    assert read_about(job.folder.encoder)["marks"] == {"tuned": [told]}
    assert pretrain_in_process("epochs=1")[1].identity == job.identity
    _, trained = train_in_process(*SMALL, f"model.weights={job.folder.encoder}")
    assert read_json(trained.folder.record)["data"]["marks"]["tuned"] == [told]
    job.folder.update({"tuned": "later"})
    later = "the encoder was chosen by later on the same folds"
    assert inherited_marks(str(job.folder.encoder)) == {"tuned": [told, later]}


def test_the_next_command_is_for_the_same_data_however_it_was_chosen(pretrain_job, cells):
    job = pretrain_job("data.um_per_pixel=0.25", "fold=1")
    chosen = PretrainJob(cfg=job.cfg, choices=job.choices, overrides=[])  # as by an experiment
    words = shlex.split(next_command(chosen))
    assert words[:3] == ["python", "train.py", "model=mae_tiny"]
    assert {"data=folder", f"data.root={cells}", "data.um_per_pixel=0.25", "fold=1", "model.options.depth=1",
            "image_size=32", f"runs={job.cfg.runs}"} <= set(words)  # fmt: skip
    assert not any(word.startswith(("seed=", "data.name=", "++")) for word in words)
    again = composed("train", *words[2:])
    assert (again.data, again.fold) == (job.cfg.data, 1)


def test_checks_leave_other_epochs_empty(pretrain_in_process):
    _, job = pretrain_in_process("epochs=4", "health.every=3")
    told = pd.read_csv(job.folder.history)["health/rankme"].notna()
    assert told.tolist() == [False, False, True, True]
    figures = sorted(path.name for path in job.folder.figures.glob("*.png"))
    assert figures == ["pictures_epoch0003.png", "pictures_epoch0004.png"]


def test_activation_checkpointing_changes_no_weight(pretrain_in_process):
    _, plain = pretrain_in_process("name=plain", "epochs=1")
    _, saving = pretrain_in_process("name=saving", "epochs=1", "trainer.grad_checkpointing=true")
    assert plain.identity == saving.identity
    assert same_weights(plain, saving)
    assert [job.method.encoder.grad_checkpointing for job in (plain, saving)] == [False, True]


@pytest.mark.parametrize("ssl", METHODS)
def test_each_method_pre_trains_in_bf16(ssl, pretrain_in_process):
    _, job = pretrain_in_process(f"ssl={ssl}", "epochs=1", "trainer.precision=bf16")
    assert np.isfinite(read_json(job.folder.metrics)["final"]["loss"])
    assert all(value.dtype != torch.bfloat16 for value in weights(job.folder.last).values())


def test_lars_and_layer_decay_train_too(pretrain_in_process):
    _, job = pretrain_in_process("optim.name=lars", "optim.base_lr=2", "optim.layer_decay=0.75", "epochs=2")
    told = read_json(job.folder.metrics)
    assert told["final"]["loss"] < told["first_loss"]


def test_an_encoder_can_be_trained_further(pretrain_in_process, capsys):
    _, first = pretrain_in_process("epochs=1")
    _, second = pretrain_in_process("epochs=1", f"model.weights={first.folder.encoder}")
    assert second.identity != first.identity
    assert read_json(second.folder.record)["lineage"]["report"]["missing"] == []
    with pytest.raises(SystemExit):
        pretrain_in_process("epochs=1", "fold=1", f"model.weights={first.folder.encoder}")
    assert "must not have seen" in capsys.readouterr().err


def test_dry_prints_the_plan_and_trains_nothing(pretrain_in_process, capsys, monkeypatch):
    monkeypatch.setattr("mk11.training.cost.BUDGET_SECONDS", 0.0)
    value, job = pretrain_in_process("dry=true", "ssl=mocov3")
    assert value is None
    said = capsys.readouterr().out
    for told in (
        "of the training split",
        "peak learning rates",
        "estimated hours",
        "crops as the method sees",
    ):
        assert told in said
    assert (job.folder.path / "plan.png").exists()
    assert not job.folder.record.exists()


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("fold=all", "fold must be one fold or final, since each has an encoder of its own, but is all"),
        ("fold=7", "fold must be one of 0, 1, 2, but is 7"),
        ("epochs=0", "epochs must be a whole number of at least 1, but is 0"),
        ("batch_size=512", "batch_size must be at most"),
        ("ssl.mask_ratio=1.5", "ssl.mask_ratio must be a number in [0, 1), but is 1.5"),
        ("health.every=often", "health.every must be a whole number of at least 0, but is often"),
        ("health.every=0", "monitor must be loss where health.every=0, but is probe_f1_macro"),
        ("health.on_collapse=panic", "health.on_collapse must be one of stop, warn, but is panic"),
        ("optim.name=sgd", "optim.name must be one of adamw, lars, but is sgd"),
        ("monitor=pr_auc", "monitor must be one of loss, probe_f1_macro"),
        ("pool=folder", "pool.folders must be given"),
        ("pool.training=false", "pool must have a source"),
        ("ssl=mocov3 augment.blur=[1]", "augment.blur must be a list of 2 numbers, but is [1]"),
        ("ssl=mocov3 augment.hue=0.7", "augment.hue must be a number in [0, 0.5], but is 0.7"),
        ("augment.scale=[0.5,0.2]", "augment.scale must rise from least to most"),
        ("augment=mocov3", "augment must give 1 view(s) of an image for ssl=mae"),
        ("ssl=mixmim batch_size=15", "batch_size must give each device an even number of images"),
        ("ssl=mocov3 ssl.momentum_schedule=linear", "ssl.momentum_schedule must be one of cosine, constant"),
        ("ssl=mocov3 batch_size=2", "batch_size must give each device at least 4 images"),
        ("image_size=30", "image_size must be a multiple of the patch, 8 px, but is 30"),
        ("crop_scale=[2,3]", "each number of crop_scale must be a number in (0, 1], but is 2"),
        ("pool.near_duplicates=-1", "pool.near_duplicates must be a whole number of at least 0, but is -1"),
        ("runs=/dev/null/x", "runs must be a folder that can be written to, but is /dev/null/x"),
        ("+foo=1", "foo must be a key of this command"),
        ("model.weights=/no/such/file", "/no/such/file"),
        ("ssl.encoder=mine", "ssl.encoder must be left alone"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(override, told, pretrain_in_process, capsys):
    with pytest.raises(SystemExit) as ended:
        pretrain_in_process(*override.split())
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert told in message
