from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from mk11.errors import UserError
from mk11.selection.filters.random_crops import RandomCrops

CONF = Path(__file__).resolve().parents[3] / "conf"
GROUND, BLUE = (235, 235, 235), (90, 60, 200)  # HSV of BLUE: 126, 178, 200


@pytest.fixture(scope="module")
def make():
    def made(name, *overrides):
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose("select", [f"filter={name}", "fields=folder", "fields.root=none", *overrides])
        return instantiate(cfg.filter)

    return made


def a_field(*boxes):
    """Blue rectangles (x0, y0, x1, y1) on light ground."""
    field = np.full((240, 320, 3), GROUND, np.uint8)
    for x0, y0, x1, y1 in boxes:
        field[y0:y1, x0:x1] = BLUE
    return field


def told(regions):
    return [(tuple(region[:4]), region.reason) for region in regions]


def test_the_papers_rule_keeps_70_px_and_drops_69(make):
    field = a_field((10, 10, 84, 84), (150, 10, 214, 84))
    found = make("paper", "filter.illumination=none").find(field, um_per_pixel=None, seed=0)
    assert [reason for _, reason in told(found)] == ["", "small"]
    assert np.abs(np.array(found[0][:4]) - (10, 10, 84, 84)).max() <= 1


def test_a_region_that_fills_less_than_seven_tenths_is_dropped(make):
    field = a_field((10, 10, 110, 50), (10, 50, 50, 110))
    found = make("paper", "filter.illumination=none").find(field, um_per_pixel=None, seed=0)
    assert [one.reason for one in found] == ["sparse"]
    assert found[0].fill == pytest.approx(0.64, abs=0.03)


def test_the_um_variant_keeps_a_micromegakaryocyte(make):
    field = a_field((10, 10, 50, 50))  # 10 um at MK-11's scale
    assert make("paper").find(field, um_per_pixel=0.253, seed=0)[0].reason == "small"
    assert make("paper_um").find(field, um_per_pixel=0.253, seed=0)[0].reason == ""
    with pytest.raises(UserError, match="scale of the fields is unknown"):
        make("paper_um").find(field, um_per_pixel=None, seed=0)


def test_the_same_field_and_seed_give_the_same_regions(make):
    field = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    field[20:100, 30:110] = BLUE
    paper = make("paper")
    first = paper.mask(field, seed=5)
    paper.mask(field[::-1].copy(), seed=6)
    assert np.array_equal(paper.mask(field, seed=5), first)


def test_mean_colour_is_that_of_the_field_in_rgb(make):
    found = make("paper", "filter.illumination=none").find(
        a_field((10, 10, 110, 110)), um_per_pixel=None, seed=0
    )
    assert [round(found[0].mean_red), round(found[0].mean_blue)] == [90, 200]


def test_fewer_bits_are_fewer_for_starts_too(make):
    assert make("paper", "filter.bits=4").kmeans["start_bits"] == 4


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("bits=9", "filter.bits must be in 1-8, but is 9"),
        ("start_bits=0", "filter.start_bits must be in 1-8, but is 0"),
        ("stride=2", "filter.stride must lie between 0 and 2, but is 2"),
        ("starts=0", "filter.starts must be a whole number of at least 1"),
    ],
)
def test_settings_of_k_means_that_cannot_be_are_refused(make, wrong, told):
    with pytest.raises(Exception, match=told):
        make("paper", f"filter.{wrong}")


def test_unknown_illumination_and_merging_upwards_are_refused(make):
    with pytest.raises(Exception, match="illumination must be one of none, grey_world"):
        make("paper", "filter.illumination=bright")
    with pytest.raises(Exception, match="merged must be in"):
        make("paper", "filter.merged=30")


def test_random_crops_are_seeded_squares_within_the_field():
    field = a_field()
    crops = RandomCrops(count=6, side_px=40, side_um=10.0)
    found = crops.find(field, um_per_pixel=0.5, seed=3)
    assert found == crops.find(field, um_per_pixel=0.5, seed=3)
    assert found != crops.find(field, um_per_pixel=0.5, seed=4)
    assert {(one.x1 - one.x0, one.y1 - one.y0) for one in found} == {(20, 20)}
    assert all(one.x0 >= 0 and one.y1 <= 240 and one.x1 <= 320 and one.kept for one in found)
    assert {one.x1 - one.x0 for one in crops.find(field, um_per_pixel=None, seed=3)} == {40}


def test_random_crops_of_a_tiny_field_are_the_field():
    found = RandomCrops(count=1, side_px=40, side_um=None).find(
        a_field()[:20, :30], um_per_pixel=None, seed=0
    )
    assert (found[0].y0, found[0].y1, found[0].at_border) == (0, 20, True)
