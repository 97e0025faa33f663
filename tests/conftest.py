"""What every part's tests share: tiny data sets, and runs through the same function as the command line."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image
from selection_fields import make_disc_fields

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

os.environ.setdefault("OMP_NUM_THREADS", "1")

# No timing decides a test, and the same commit gives the same verdict.
settings.register_profile(
    "mk11", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mk11")


@pytest.fixture(scope="session")
def shared():
    """The folder of real cells beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("no folder ../shared with real cells beside the repository")
    return SHARED


def make_cells(root, *, per_class=24, patients=6, side=40, seed=0):
    """Discs of three colours on a pale ground, in class folders, with a cells.csv that names the patients."""
    generator = np.random.default_rng(seed)
    colours = {"blast": (90, 40, 140), "granular": (170, 110, 190), "naked": (60, 60, 110)}
    rows = []
    for subtype, colour in colours.items():
        (root / subtype).mkdir(parents=True)
        for number in range(per_class):
            y, x = np.mgrid[:side, :side] - side / 2
            inside = (y**2 + x**2) < (side * generator.uniform(0.2, 0.45)) ** 2
            image = np.where(inside[..., None], colour, (225, 215, 225)) + generator.normal(
                0, 25, (side, side, 3)
            )
            path = f"{subtype}/{number:03d}.png"
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / path)
            rows.append((path, subtype, f"P{number % patients}"))
    with open(root / "cells.csv", "w", newline="") as handle:
        csv.writer(handle).writerows([("path", "subtype", "group"), *rows])
    return root


@pytest.fixture(scope="session")
def cells(tmp_path_factory):
    """72 images, 3 classes, 6 patients."""
    return make_cells(tmp_path_factory.mktemp("cells"))


def small(cells, runs, *overrides):
    """Overrides of a run of a few seconds; later ones win."""
    chosen = {
        "data": "folder",
        "data.root": str(cells),
        "data.folds.count": "3",
        "runs": str(runs),
        "model": "convnext_test",
        "image_size": "32",
        "batch_size": "16",
        "epochs": "2",
        "workers": "0",
        "threads": "1",
        "trainer": "cpu",
        "trainer.progress": "none",
        "logger": "csv",
    }
    chosen |= dict(override.split("=", 1) for override in overrides)
    return [f"{key}={value}" for key, value in chosen.items()]


@pytest.fixture
def overrides(cells, tmp_path):
    """Overrides of a run of a few seconds in a folder of its own."""
    return lambda *more: small(cells, tmp_path / "runs", *more)


def composed(script, *overrides):
    """The config that a script would get from the command line; Hydra's own part of it is set."""
    from hydra import compose, initialize_config_dir
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import open_dict

    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose(script, overrides=[*overrides], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


@pytest.fixture
def train_in_process(overrides):
    """Run `python train.py ...` within this process; returns (value, job) of the run."""
    from mk11.cli.job import Job
    from mk11.cli.train import train

    def run(*more):
        cfg = composed("train", *overrides(*more))
        return train(cfg, script=ROOT / "train.py"), Job.of(cfg)

    return run


def small_pretraining(cells, runs, *overrides):
    """Overrides of a pre-training of a few seconds; later ones win."""
    chosen = {
        "data": "folder",
        "data.root": str(cells),
        "data.folds.count": "3",
        "runs": str(runs),
        "ssl": "mae",
        "image_size": "32",
        "batch_size": "16",
        "epochs": "2",
        "workers": "0",
        "threads": "1",
        "trainer": "cpu",
        "trainer.progress": "none",
        "logger": "csv",
        "health.every": "1",
        "health.probe_epochs": "2",
        "health.pictures": "2",
    }
    chosen |= dict(override.split("=", 1) for override in overrides)
    if chosen["ssl"] == "mae":
        chosen = {"model.options.depth": "1", "ssl.decoder_depth": "1"} | chosen
    return [f"{key}={value}" for key, value in chosen.items()]


@pytest.fixture
def pretrain_job(cells, tmp_path):
    """The job that a `python pretrain.py ...` of a few seconds would run, not yet begun."""
    from mk11.cli.pretrain.job import PretrainJob

    def make(*more):
        return PretrainJob.of(composed("pretrain", *small_pretraining(cells, tmp_path / "runs", *more)))

    return make


@pytest.fixture
def pretrain_in_process(cells, tmp_path):
    """Run `python pretrain.py ...` within this process; returns (value, job) of the run."""
    from mk11.cli.pretrain.job import PretrainJob
    from mk11.cli.pretrain.script import pretrain

    def run(*more):
        cfg = composed("pretrain", *small_pretraining(cells, tmp_path / "runs", *more))
        return pretrain(cfg, script=ROOT / "pretrain.py"), PretrainJob.of(cfg)

    return run


@pytest.fixture(scope="session")
def disc_fields(tmp_path_factory):
    """Six fields of the tests' patients, with four discs each."""
    return make_disc_fields(tmp_path_factory.mktemp("smears") / "fields")


def small_selection(cells, fields, runs, *overrides):
    """Overrides of a selection of a few seconds; later ones win."""
    chosen = {
        "data": "folder",
        "data.root": str(cells),
        "data.folds.count": "3",
        "fields": "folder",
        "fields.root": str(fields),
        "fields.truth": "boxes.csv",
        "filter": "paper",
        "encoder.architecture": "test_resnet",
        "encoder.weights": "none",
        "encoder.image_size": "32",
        "gallery.field_px": "64",
        "gallery.crop_px": "24",
        "runs": str(runs),
        "workers": "0",
        "threads": "1",
        "trainer": "cpu",
    }
    chosen |= dict(override.split("=", 1) for override in overrides)
    if chosen["filter"] == "paper":  # for the colours and sizes of the tests' discs
        chosen = {
            "filter": "paper",
            "filter.illumination": "none",
            "filter.ranges.purple": "{hue:[100,160],saturation:[50,255],value:[0,255]}",
            "filter.limits.min_side_px": "12",
            "filter.noise": "40",
        } | chosen
    return [f"{key}={value}" for key, value in chosen.items()]


@pytest.fixture
def select_job(cells, disc_fields, tmp_path):
    """The job that a `python select.py ...` of a few seconds would run, not yet begun."""
    from mk11.cli.selection.job import SelectJob

    def make(*more):
        return SelectJob.of(
            composed("select", *small_selection(cells, disc_fields, tmp_path / "runs", *more))
        )

    return make


@pytest.fixture
def select_in_process(cells, disc_fields, tmp_path):
    """Run `python select.py ...` within this process; returns (value, job) of the run."""
    from mk11.cli.selection.job import SelectJob
    from mk11.cli.selection.script import select

    def run(*more):
        cfg = composed("select", *small_selection(cells, disc_fields, tmp_path / "runs", *more))
        return select(cfg, script=ROOT / "select.py"), SelectJob.of(cfg)

    return run
