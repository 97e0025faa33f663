import shutil
from pathlib import Path

import pandas as pd
import pytest
from drawn_blobs import a_field
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from PIL import Image

from mk11.data.images import content_hash

CONF = Path(__file__).resolve().parents[3] / "conf"
SMALL = ("filter.segmentation.cell_side=32", "filter.segmentation.closing=5")


@pytest.fixture
def fields(tmp_path):
    """Six fields with a table of their boxes and one of their scales."""
    folder = tmp_path / "fields"
    folder.mkdir()
    rows = []
    for number in range(6):
        field = a_field(number)
        Image.fromarray(field.image).save(folder / f"f{number}.png")
        rows += [(f"f{number}.png", *map(int, box), "cell") for box in field.boxes]
    pd.DataFrame(rows, columns=["field", "x0", "y0", "x1", "y1", "kind"]).to_csv(
        folder / "boxes.csv", index=False
    )
    names = [f"f{number}.png" for number in range(6)]
    pd.DataFrame({"field": names, "um_per_pixel": 0.4}).to_csv(folder / "fields.csv", index=False)
    return folder


def made(root, *overrides, held_out=()):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("select", ["filter=fitted", "fields=folder", f"fields.root={root}", *SMALL, *overrides])
    return instantiate(cfg.filter, held_out=list(held_out))


def kept(finder):
    return sum(one.kept for one in finder.find(a_field(40).image, um_per_pixel=0.4, seed=0))


def test_the_config_learns_from_a_folder_of_drawn_fields_with_their_scale(fields):
    finder = made(fields)
    assert finder.rule.cell_um == pytest.approx(37 * 0.4)
    assert finder.rule.provenance["pictures"] == 6
    assert kept(finder) == 2


def test_only_as_many_fields_as_asked_are_drawn_and_by_seed(fields):
    first, again, other = (
        made(fields, "filter.examples.count=3", f"filter.examples.seed={s}") for s in (0, 0, 5)
    )
    assert first.rule.provenance["pictures"] == 3
    assert first.rule.hash == again.rule.hash != other.rule.hash


def test_nothing_is_learnt_from_pictures_that_are_held_out(fields):
    held_out = {content_hash(a_field(number).image) for number in range(4)}
    others = fields.parent / "others"
    others.mkdir()
    for name in ("f4.png", "f5.png", "boxes.csv", "fields.csv"):
        shutil.copy(fields / name, others / name)
    assert made(fields, held_out=held_out).rule.hash == made(others).rule.hash != made(fields).rule.hash


def test_examples_that_are_all_held_out_are_refused(fields):
    held_out = {content_hash(a_field(number).image) for number in range(6)}
    with pytest.raises(
        InstantiationException, match=r"filter\.examples must be pictures of patients to train on, but all 6"
    ):
        made(fields, held_out=held_out)


def test_a_folder_of_crops_stands_for_fields(fields, tmp_path):
    crops = tmp_path / "crops" / "kind"
    crops.mkdir(parents=True)
    for number in range(6):
        Image.fromarray(a_field(number).image[52:129, 92:169]).save(crops / f"{number}.png")
    finder = made(fields, f"filter.examples.crops={crops.parent}", "filter.examples.margin=0.22")
    assert finder.rule.provenance["crops"] == 6
    assert kept(finder) == 2


def test_a_stored_rule_stands_for_examples(fields, tmp_path):
    made(fields).rule.save(tmp_path / "rule.json")
    stored = made(fields, f"filter.rule={tmp_path / 'rule.json'}", "filter.examples.truth=none.csv")
    assert stored.rule.hash == made(fields).rule.hash


def test_a_folder_to_adapt_to_is_learnt_from_without_its_boxes(fields):
    finder = made(fields, f"filter.adapt_to={fields}")
    assert finder.rule.provenance["adapted_to_fields"] == 6
    assert kept(finder) == 2


def test_examples_that_are_not_there_are_told(fields):
    with pytest.raises(InstantiationException, match="filter=fitted learns from labelled examples"):
        made(fields, "filter.examples.truth=none.csv")
