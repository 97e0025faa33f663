"""`train.py` from end to end, in this process, on a few dozen images."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from interrupted import Stopped, stopped_after, weights
from PIL import Image

from mk11.evaluation.predictions import read_predictions
from mk11.files import read_json
from mk11.metrics.final import OVERALL, classification_metrics
from mk11.training.callbacks import BestAndLast

FAMILIES = ("convnext_test", "vit_test", "vgg_test", "efficientnet_test", "resnet_test")


def test_a_run_leaves_everything_from_which_it_can_be_recomputed(train_in_process):
    value, job = train_in_process("logger=tensorboard")
    folder = job.folder
    assert folder.path.name == f"fold0-seed0-{job.identity}"
    assert folder.path.parts[-4:-1] == ("train", "folder", "convnext_test")
    present = {path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*") if path.is_file()}
    assert {
        "config.yaml", "run.json", "metrics.csv", "metrics.json", "predictions.parquet",
        "checkpoints/last.ckpt", "checkpoints/best.ckpt", "figures/learning_curves.svg",
        "figures/confusion_matrix.svg", "figures/precision_recall.svg",
    } <= present  # fmt: skip
    assert any(name.startswith("tensorboard/events") for name in present)
    record = read_json(folder.record)
    assert record["status"] == "finished"
    assert record["data"]["fingerprint"] == job.fold.fingerprint
    assert {"commit", "versions", "device", "started", "ended", "seconds", "overrides"} <= set(record)
    history = pd.read_csv(folder.history)
    assert history["epoch"].tolist() == [1, 2]
    assert {f"val/{name}" for name in OVERALL} | {"train/loss", "val/loss", "lr", "data_wait"} <= set(history)
    assert value == pytest.approx(history["val/pr_auc"].max())


def test_metrics_are_those_of_the_stored_predictions(train_in_process):
    _, job = train_in_process()
    predictions, classes = read_predictions(job.folder.predictions)
    stored = read_json(job.folder.metrics)
    sizes = job.fold.table["split"].value_counts()
    for split, checkpoint in (("val", "best"), ("test", "best"), ("val", "last"), ("test", "last")):
        part = predictions[(predictions["split"] == split) & (predictions["checkpoint"] == checkpoint)]
        assert len(part) == sizes[split]
        scores = part[[f"p_{name}" for name in classes]].to_numpy(np.float32)
        found = classification_metrics(scores, part["label"].to_numpy(), classes)
        here = stored if checkpoint == "best" else stored["last"]
        assert here[split] == json.loads(json.dumps(found))
    history = pd.read_csv(job.folder.history)
    best = history.loc[history["val/pr_auc"].idxmax()]
    assert stored["best_epoch"] == best["epoch"]
    for name in OVERALL:
        assert stored["val"][name] == pytest.approx(best[f"val/{name}"], abs=1e-5)
        assert stored["best_validation"][name]["value"] == pytest.approx(history[f"val/{name}"].max())


def test_the_same_command_again_trains_nothing(train_in_process, capsys):
    _, job = train_in_process()
    before = {path: path.stat().st_mtime_ns for path in job.folder.path.rglob("*") if path.suffix}
    capsys.readouterr()
    value, _ = train_in_process()
    assert "finished already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert value == read_json(job.folder.metrics)["best_validation"]["pr_auc"]["value"]


def test_rerun_does_it_again_with_equal_numbers_and_keeps_the_old(train_in_process):
    _, job = train_in_process()
    first = read_json(job.folder.metrics)
    train_in_process("rerun=true")
    assert read_json(job.folder.metrics) == first
    (kept,) = (job.folder.path / "previous").iterdir()
    assert read_json(kept / "metrics.json") == first


def test_stale_redoes_only_what_another_commit_made(train_in_process, capsys):
    _, job = train_in_process()
    train_in_process("rerun=stale")
    assert "finished already" in capsys.readouterr().out
    job.folder.update({"commit": "0" * 40})
    train_in_process()
    assert "made by commit 0000" in capsys.readouterr().out
    train_in_process("rerun=stale")
    assert (job.folder.path / "previous").is_dir()


@pytest.mark.parametrize(
    "family",
    [pytest.param(name, marks=pytest.mark.long if name == "vgg_test" else ()) for name in FAMILIES],
)
def test_each_family_resumes_to_the_weights_of_an_uninterrupted_run(family, train_in_process):
    chosen = (
        f"model={family}",
        "epochs=3",
        "optim.base_lr=1e-3",
        "name=whole",
        "optim.layer_decay=0.75",
        "workers=1",
    )
    _, whole = train_in_process(*chosen)
    with stopped_after(2, callback=BestAndLast), pytest.raises(Stopped):
        train_in_process(*chosen, "name=broken")
    _, resumed = train_in_process(*chosen, "name=broken")
    assert len(read_json(resumed.folder.record)["starts"]) == 2
    for name in ("best", "last"):
        expected, found = (weights(getattr(job.folder, name)) for job in (whole, resumed))
        assert expected.keys() == found.keys()
        assert all(torch.equal(expected[key], found[key]) for key in expected)
    assert read_json(whole.folder.metrics) == read_json(resumed.folder.metrics)


def test_a_run_with_averaged_weights_and_mixing_resumes_exactly(train_in_process):
    chosen = (
        "epochs=3",
        "ema_decay=0.9",
        "mix.mixup_alpha=0.8",
        "mix.cutmix_alpha=1.0",
        "model.drop_path=0.2",
    )
    _, whole = train_in_process(*chosen, "name=whole")
    with stopped_after(1, callback=BestAndLast), pytest.raises(Stopped):
        train_in_process(*chosen, "name=broken")
    _, resumed = train_in_process(*chosen, "name=broken")
    expected, found = weights(whole.folder.last), weights(resumed.folder.last)
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_rerun_does_an_interrupted_run_afresh(train_in_process):
    with stopped_after(1, callback=BestAndLast), pytest.raises(Stopped):
        train_in_process()
    _, job = train_in_process("rerun=true")
    record = read_json(job.folder.record)
    assert (record["status"], len(record["starts"])) == ("finished", 1)
    (kept,) = (job.folder.path / "previous").iterdir()
    assert read_json(kept / "run.json")["status"] == "failed"


def test_weights_that_have_seen_the_folds_test_images_are_refused(train_in_process, capsys):
    _, first = train_in_process("epochs=1")
    start = f"model.weights={first.folder.best}"
    with pytest.raises(SystemExit):
        train_in_process(start, "fold=1", "epochs=1")
    assert "model.weights must not have seen the fold's validation or test images" in capsys.readouterr().err
    _, marked = train_in_process(start, "fold=1", "epochs=1", "data.on_leak=warn")
    (told,) = read_json(marked.folder.record)["data"]["marks"]["weights"]
    assert "was trained on" in told


def test_a_finished_run_starts_another(train_in_process, capsys):
    _, first = train_in_process()
    _, second = train_in_process(
        f"model.weights={first.folder.best}", "epochs=1", "optim.base_lr=1e-8", "optim.min_lr=0"
    )
    assert second.identity != first.identity
    assert "0 missing" in capsys.readouterr().out
    report = read_json(second.folder.record)["lineage"]["report"]
    assert (report["missing"], report["unexpected"], report["replaced"]) == ([], [], [])
    assert second.config["model"]["weights"] == str(first.folder.best)
    before, after = weights(first.folder.best), weights(second.folder.best)
    stem = next(iter(before))
    assert torch.allclose(before[stem], after[stem], atol=1e-6)


def test_a_failure_is_recorded_with_its_traceback(train_in_process, monkeypatch, overrides):
    def stop(*_):
        raise Stopped("in the middle")

    monkeypatch.setattr(BestAndLast, "on_train_epoch_end", stop)
    with pytest.raises(Stopped):
        train_in_process("name=failing")
    (record,) = (read_json(path) for path in _runs(overrides).rglob("run.json"))
    (error,) = _runs(overrides).rglob("error.txt")
    assert record["status"] == "failed"
    assert "in the middle" in error.read_text()


def test_a_non_finite_loss_stops_the_run_and_names_the_images(train_in_process, capsys, overrides):
    with pytest.raises(SystemExit) as ended:
        train_in_process("optim.base_lr=1e12", "optim.warmup_epochs=0", "clip_norm=null", "epochs=4")
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "error: the loss is" in told
    (found,) = (read_json(path) for path in _runs(overrides).rglob("nonfinite.json"))
    assert 1 <= len(found["images"]) <= 16
    assert all(name.endswith(".png") for name in found["images"])


@pytest.mark.parametrize("imbalance", ["class_weights", "balanced_sampler"])
def test_each_answer_to_imbalance_trains(imbalance, train_in_process):
    value, job = train_in_process(f"imbalance={imbalance}", "epochs=1")
    assert 0 < value <= 1
    assert job.choices["imbalance"] == imbalance


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("fold=7", "fold must be one of 0, 1, 2, but is 7"),
        ("data.root=???", "data.root must be given"),
        ("augment.brightness=foo", "augment"),
        ("trainer.accelerator=gpu", "the keys of `trainer` must suit this machine"),
        ("model.weights=imagenet", "model.weights=imagenet needs model.safetensors"),
        ("epochs=0", "epochs must be a whole number of at least 1, but is 0"),
        ("data.root=/no/such/folder", "/no/such/folder"),
        ("model.weights=/no/such/file.ckpt", "/no/such/file.ckpt"),
        ("data.resize=fixed_scale", "data.target_um_per_pixel"),
        ("augment=mocov3", "augment must give one view of an image, but augment=mocov3 gives 2"),
        ("optim.reference_compatible=maybe", "optim.reference_compatible"),
        ("imbalance=class_weights imbalance.power=3", "imbalance.power must be in [0, 2], but is 3"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(override, told, train_in_process, capsys):
    with pytest.raises(SystemExit) as ended:
        train_in_process(*override.split())
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert told in message
    assert "Traceback" not in message


def test_a_metric_that_the_validation_split_cannot_have_stops_the_run_at_once(
    train_in_process, tmp_path, capsys
):
    one_class = tmp_path / "one_class_validation"
    make_published(one_class)
    with pytest.raises(SystemExit):
        train_in_process(f"data.root={one_class}", "monitor=auroc_macro")
    assert "monitor=auroc_macro is undefined" in capsys.readouterr().err


def make_published(root):
    """One published fold whose validation split holds one class only."""
    generator = np.random.default_rng(0)
    for split, subtypes in (("train", "ab"), ("val", "a"), ("test", "ab")):
        for subtype in subtypes:
            folder = root / "fold_0" / split / subtype
            folder.mkdir(parents=True)
            for number in range(16):
                pixels = generator.integers(0, 255, (32, 32, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{split}{number}.png")


def test_a_damaged_checkpoint_is_named_and_left_alone(train_in_process, capsys):
    _, job = train_in_process()
    job.folder.update({"status": "interrupted"})
    job.folder.last.write_bytes(job.folder.last.read_bytes()[:1000])
    with pytest.raises(SystemExit):
        train_in_process()
    assert "last.ckpt must be a whole checkpoint" in capsys.readouterr().err
    assert job.folder.last.stat().st_size == 1000


def _runs(overrides):
    return Path(next(item for item in overrides() if item.startswith("runs=")).removeprefix("runs="))
