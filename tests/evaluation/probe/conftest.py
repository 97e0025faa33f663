"""An encoder as pre-training leaves it, and results as the probes give them."""

import copy

import pytest
import torch
from omegaconf import OmegaConf

from mk11.data.cells import CellData
from mk11.evaluation.probe.data import CONF
from mk11.models.classifier import create_encoder
from mk11.models.encoder_file import write_encoder

SIDE = 32


@pytest.fixture(autouse=True)
def no_width(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)


def data_config(root):
    """The keys of conf/data/folder.yaml, three folds."""
    base = OmegaConf.to_container(OmegaConf.load(CONF / "data" / "base" / "defaults.yaml"))
    changes = {"name": "folder", "root": str(root), "label_map": None}
    return base | changes | {"folds": base["folds"] | {"count": 3}}


@pytest.fixture(scope="session")
def data(cells):
    """The 72 discs, in three folds."""
    keys = {key: value for key, value in data_config(cells).items() if not key.startswith("_")}
    return CellData(**keys)


def pretrained(folder, *, data_root, fold, trained_on, seed=0, **changes):
    """A run folder of pre-training: encoder.safetensors, encoder.json and config.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    network = create_encoder(architecture="test_vit", image_size=SIDE, options={})
    about = {
        "method": "mae",
        "architecture": "test_vit",
        "options": {},
        "image_size": SIDE,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "trained_on": sorted(trained_on),
        **changes,
    }
    write_encoder(folder / "encoder.safetensors", network, about)
    config = {"stage": "pretrain", "fold": fold, "seed": 0, "data": data_config(data_root)}
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(config)))
    return folder


@pytest.fixture
def run_of(tmp_path, cells, data):
    """Makes a pre-training run for a fold, on its training images."""

    def make(fold):
        table = data.fold(fold).table
        seen = table.loc[table["split"] == "train", "content_hash"]
        place = tmp_path / f"runs/pretrain/folder/mae/fold{fold}"
        return pretrained(place, data_root=cells, fold=fold, trained_on=seen, seed=fold)

    return make


@pytest.fixture
def run(run_of):
    """That for fold 1."""
    return run_of(1)


def figures(value, **changes):
    return {"f1_macro": value, "balanced_accuracy": value, "accuracy": value, **changes}


RESULT = {
    "class_token": False,
    "data": {
        "name": "folder",
        "fold": 0,
        "fingerprint": "f0",
        "resize": "short_side",
        "target_um_per_pixel": None,
        "classes": ["a", "b"],
        "marks": {},
    },
    "settings": {"draws": 3},
    "features": {"dim": 64, "most": 40, "rankme": 12.34, "std": 0.56},
    "knn": {"k": 5, "test": figures(0.5)},
    "linear": {"C": 0.01, "converged": True, "test": figures(0.6)},
    "prototype": {
        "all": {"test": figures(0.7)},
        "few": [
            {"shots": shots, "draws": 3, "short": [], "test": figures({"mean": 0.4, "sd": 0.05})}
            for shots in (1, 5)
        ],
    },
}


@pytest.fixture
def result():
    """Makes one fold's entry of probe.json; dotted keys change it."""

    def made(**changes):
        content = copy.deepcopy(RESULT)
        for key, value in changes.items():
            *path, last = key.split("__")
            node = content
            for name in path:
                node = node[name]
            node[last] = value
        return content

    return made
