"""Small data folders and data sets on them."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from mk11.data.cells import CellData
from mk11.data.layouts import CsvFormat

DEFAULTS = Path(__file__).resolve().parents[2] / "conf/data/base/defaults.yaml"


def picture(seed, height=6, width=5):
    """A small random image; equal seeds give equal images."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def few_rounds():
    """Deal in few rounds: what folds promise holds for each, and tests are quicker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mk11.data.assign.MAX_ROUNDS", 4)
        yield


@pytest.fixture
def save():
    """Write the random image of a seed to a file."""

    def write(path, seed, **size):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(seed, **size)).save(path)
        return path

    return write


@pytest.fixture
def class_folders(tmp_path, save):
    """A folder of 10 images of `b`, 8 of `a`, 6 of `c`, each different, of different sizes."""
    root = tmp_path / "cells"
    for number, (name, count) in enumerate({"b": 10, "a": 8, "c": 6}.items()):
        for image in range(count):
            save(root / name / f"p{image % 4}_{image}.png", 100 * number + image, height=6 + image % 3)
    return root


@pytest.fixture
def published(tmp_path, save):
    """Three published folds over 18 images of two classes: each tested once, each file in every fold."""
    root = tmp_path / "published"
    for subtype in range(2):
        for image in range(9):
            source = save(tmp_path / "all" / f"{subtype}_{image}.png", 50 * subtype + image)
            for fold in range(3):
                split = {0: "test", 1: "val"}.get((image - fold) % 3, "train")
                place = root / f"fold_{fold}" / split / f"class{subtype}" / source.name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, place)
    return root


@pytest.fixture
def shipped():
    """The keys of a data set as shipped."""
    keys = yaml.safe_load(DEFAULTS.read_text())
    keys = {key: value for key, value in keys.items() if not key.startswith("_")}
    return keys | {"name": "test", "label_map": None}


@pytest.fixture
def cell_data(shipped):
    """A CellData with the shipped keys and changes to them; `folds` and `holdout` change single keys."""

    def make(root, *, folds=None, holdout=None, **changes):
        nested = {"folds": shipped["folds"] | (folds or {}), "holdout": shipped["holdout"] | (holdout or {})}
        return CellData(**(shipped | {"root": root} | nested | changes))

    return make


@pytest.fixture
def csv_format(shipped):
    """How a table of cells is written, as shipped."""
    return CsvFormat(shipped["columns"], shipped["path_format"])


@pytest.fixture
def table():
    """A fold's table from rows (content_hash, subtype, group, split)."""

    def make(*rows):
        frame = pd.DataFrame(rows, columns=["content_hash", "subtype", "group", "split"], dtype="str")
        return frame.assign(id=[f"image{row}.png" for row in range(len(rows))])

    return make
