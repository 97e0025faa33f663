"""Cells as the table of subtypes defines them, measured on their masks."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mk11.data.synthetic.anatomy import BYSTANDERS, SUBTYPES, UM_PER_PIXEL, draw_anatomy
from mk11.data.synthetic.cell import draw_cell
from mk11.data.synthetic.stain import BASOPHILIC, GRANULE, NUCLEAR

SIZES = (0.88, 1.12)  # extremes of a patient's factor on diameters


def drawn(subtype, count=24, *, size=1.0):
    kinds = SUBTYPES[subtype]
    found = []
    for number in range(count):
        generator = np.random.default_rng(number)
        anatomy = draw_anatomy(kinds[number % len(kinds)], generator, size=size)
        found.append((anatomy, draw_cell(anatomy, generator)))
    return found


def measured_diameter(cell):
    """Of the disc with the area of the cell's body, in um."""
    return 2 * np.sqrt(cell.body.sum() / np.pi) * UM_PER_PIXEL


def diameters(subtype, **how):
    return np.array([measured_diameter(cell) for _, cell in drawn(subtype, **how)])


def median_share(subtype):
    return np.median([cell.nucleus.sum() / cell.body.sum() for _, cell in drawn(subtype)])


def nuclei(cell):
    """Separate nuclei, specks left out."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((cell.nucleus > 0.5).astype(np.uint8))
    return int((stats[1:, cv2.CC_STAT_AREA] > 20).sum())


def stain_of_cytoplasm(subtype, stain):
    cytoplasm = [
        (cell.amounts[stain], (cell.cover > 0.9) & (cell.nucleus < 0.1)) for _, cell in drawn(subtype)
    ]
    return np.median([amount[where].mean() for amount, where in cytoplasm if where.any()])


@pytest.mark.parametrize("size", SIZES)
def test_micromegakaryocytes_stay_below_12_um(size):
    assert diameters("MMK", size=size).max() < 12


@pytest.mark.parametrize("size", SIZES)
def test_small_unilobated_ones_measure_10_to_18_um(size):
    found = diameters("S-MK", size=size)
    assert found.min() > 9.8
    assert found.max() < 18.2


@pytest.mark.parametrize("size", SIZES)
def test_large_hyperlobulated_ones_measure_40_um_or_more(size):
    assert diameters("HL-MK", size=size).min() > 39.5


def test_unilobated_ones_are_ordered_by_size():
    micro, small, normal = (np.median(diameters(subtype)) for subtype in ("MMK", "S-MK", "N-MK"))
    assert micro + 2 < small < normal - 5


def test_youth_goes_with_small_cells_and_large_nuclei():
    assert np.median(diameters("MK-blast")) < np.median(diameters("Pro-MK")) < np.median(diameters("G-MK"))
    assert median_share("MK-blast") > median_share("Pro-MK") > median_share("G-MK")


def test_a_cell_has_the_diameter_and_nucleus_of_its_anatomy():
    cells = drawn("N-MK")
    for anatomy, cell in cells:
        assert measured_diameter(cell) == pytest.approx(anatomy.diameter, rel=0.02)
    ratios = [cell.nucleus.sum() / cell.body.sum() / anatomy.nucleus for anatomy, cell in cells]
    assert np.median(ratios) == pytest.approx(1, abs=0.1)
    assert np.quantile(np.abs(np.log(ratios)), 0.9) < 0.25


def test_multinucleated_ones_have_three_or_more_separate_nuclei():
    counts = [nuclei(cell) for _, cell in drawn("MN-MK", 60)]
    assert min(counts) >= 3
    assert max(counts) >= 6


def test_hyperlobulated_ones_have_more_than_eight_lobes():
    assert min(anatomy.lobes for anatomy, _ in drawn("HL-MK")) > 8
    assert {anatomy.arrangement for anatomy, _ in drawn("HL-MK")} == {"lobed", "wreath"}


@pytest.mark.parametrize("subtype", ["N-MK", "S-MK"])
def test_unilobated_ones_have_one_nucleus_of_one_lobe(subtype):
    assert {(anatomy.lobes, nuclei(cell)) for anatomy, cell in drawn(subtype)} == {(1, 1)}


def test_naked_nuclei_are_all_nucleus():
    for _, cell in drawn("NN-MK"):
        assert np.array_equal(cell.nucleus, cell.body)
        assert cell.amounts[NUCLEAR].sum() > 0.6 * cell.amounts.sum()


def test_proplatelets_reach_beyond_the_cell():
    def beyond(subtype):
        return np.median([(cell.cover - cell.body).clip(0).sum() for _, cell in drawn(subtype)])

    assert beyond("PP-MK") > 3 * beyond("G-MK")


def test_young_cytoplasm_is_bluer_than_ripe():
    blast, young, ripe = (stain_of_cytoplasm(s, BASOPHILIC) for s in ("MK-blast", "Pro-MK", "N-MK"))
    assert blast > 2 * ripe
    assert young > 1.5 * ripe


def test_granular_ones_hold_most_granules():
    granules = {subtype: stain_of_cytoplasm(subtype, GRANULE) for subtype in SUBTYPES if subtype != "NN-MK"}
    assert max(granules, key=granules.get) == "G-MK"


def test_each_cytoplasmic_abnormality_occurs():
    found = [anatomy for anatomy, _ in drawn("CA-MK", 30)]
    assert any(anatomy.vacuoles >= 4 for anatomy in found)
    assert any(anatomy.depletion >= 0.45 for anatomy in found)
    assert any(anatomy.basophilia >= 0.4 for anatomy in found)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([*SUBTYPES, *BYSTANDERS]), st.integers(0, 10**6), st.floats(*SIZES))
def test_every_cell_keeps_its_nucleus_inside_and_its_stain_finite(subtype, seed, size):
    generator = np.random.default_rng(seed)
    kinds = SUBTYPES.get(subtype) or (BYSTANDERS[subtype],)
    cell = draw_cell(draw_anatomy(kinds[-1], generator, size=size), generator)
    assert np.isfinite(cell.amounts).all()
    assert cell.amounts.min() >= 0
    assert (cell.nucleus <= cell.cover + 0.5).all()
    assert cell.nucleus.sum() > 50
