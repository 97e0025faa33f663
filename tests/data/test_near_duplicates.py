"""Copies of a picture are found, other cells are not, and groups do not depend on order."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mk11.data.near_duplicates import BITS, groups, near_any, perceptual_hash, representatives
from mk11.data.synthetic.cells import draw_picture, nth_patient

RADIUS = 20  # of conf/select.yaml
KINDS = ("MK-blast", "G-MK", "MMK", "MN-MK")


def drawn(number):
    generator = np.random.default_rng(number)
    return draw_picture(KINDS[number % len(KINDS)], nth_patient(number, seed=0), generator)[0]


@pytest.fixture(scope="module")
def cells():
    return [drawn(number) for number in range(16)]


@pytest.fixture(scope="module")
def hashes(cells):
    return [perceptual_hash(cell) for cell in cells]


def re_encoded(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=85)
    return np.asarray(Image.open(buffer).convert("RGB"))


def recoloured(image):
    return (image * np.array([0.95, 1.0, 1.05]) + 4).clip(0, 255).astype(np.uint8)


def hamming(one, other):
    return (int(one, 16) ^ int(other, 16)).bit_count()


@pytest.mark.parametrize("change", [re_encoded, recoloured])
def test_a_changed_copy_is_found(cells, hashes, change):
    apart = [hamming(one, perceptual_hash(change(cell))) for one, cell in zip(hashes, cells, strict=True)]
    assert max(apart) <= RADIUS


def test_most_copies_shifted_by_a_pixel_are_found(cells, hashes):
    apart = [hamming(one, perceptual_hash(cell[:, 1:])) for one, cell in zip(hashes, cells, strict=True)]
    assert np.mean(np.array(apart) <= RADIUS) > 0.8


def test_different_cells_are_not_taken_for_one(hashes):
    assert groups(hashes, radius=RADIUS).tolist() == list(range(len(hashes)))


def test_the_hash_has_its_bits_in_hex_and_half_of_them_set(hashes):
    for one in hashes:
        assert len(one) * 4 == BITS
        assert int(one, 16).bit_count() == pytest.approx(BITS / 2, abs=1)


def flipped(code, bits):
    for bit in bits:
        code ^= 1 << bit
    return code


def as_hash(code):
    return f"{code:0{BITS // 4}x}"


codes = st.lists(st.sets(st.integers(0, BITS - 1), max_size=4), min_size=1, max_size=25)


@given(codes, st.integers(0, 4), st.randoms(use_true_random=False))
def test_groups_are_the_components_of_a_slow_search_in_any_order(flips, radius, shuffler):
    hashes = [as_hash(flipped(0, bits)) for bits in flips]
    shuffler.shuffle(hashes)
    expected = list(range(len(hashes)))
    for _ in hashes:  # each pass joins what touches, until nothing changes
        for i, one in enumerate(hashes):
            near = [j for j, other in enumerate(hashes) if hamming(one, other) <= radius]
            lowest = min(expected[j] for j in near)
            for j in near:
                expected[j] = lowest
            expected[i] = lowest
    seen = {number: place for place, number in enumerate(dict.fromkeys(expected))}
    assert groups(hashes, radius=radius).tolist() == [seen[number] for number in expected]


def test_groups_are_the_same_across_the_blocks_of_the_comparison(monkeypatch):
    generator = np.random.default_rng(0)
    codes = [int.from_bytes(generator.bytes(BITS // 8)) for _ in range(40)]
    hashes = [as_hash(code) for code in codes] + [as_hash(flipped(code, {3, 70, 140})) for code in codes]
    expected = [*range(40), *range(40)]
    for block in (1, 3, 7, 4096):
        monkeypatch.setattr("mk11.data.near_duplicates.ROWS", block)
        monkeypatch.setattr("mk11.data.near_duplicates.COLUMNS", block)
        assert groups(hashes, radius=3).tolist() == expected
        assert groups(hashes, radius=2).tolist() == list(range(80))


def test_no_images_make_no_groups():
    found = groups([], radius=RADIUS)
    assert len(found) == 0
    assert len(representatives(found, [])) == 0


def test_each_group_is_represented_by_its_first_name():
    group = np.array([0, 1, 0, 2, 1])
    assert representatives(group, ["b", "z", "a", "m", "q"]).tolist() == [False, False, True, True, True]


@given(st.lists(st.sets(st.integers(0, 9), max_size=4), max_size=12), st.integers(0, 12), st.integers(0, 3))
def test_near_ones_are_those_of_a_slow_search(flips, parted, radius):
    numbers = [sum(1 << bit for bit in bits) for bits in flips]
    told = [number.to_bytes(BITS // 8, "big").hex() for number in numbers]
    some, others = numbers[:parted], numbers[parted:]
    expected = [any((one ^ other).bit_count() <= radius for other in others) for one in some]
    assert near_any(told[:parted], told[parted:], radius=radius).tolist() == expected


def test_near_ones_are_found_across_the_blocks_of_the_comparison(monkeypatch, hashes):
    whole = near_any(hashes, hashes[5:7], radius=RADIUS)
    monkeypatch.setattr("mk11.data.near_duplicates.ROWS", 3)
    monkeypatch.setattr("mk11.data.near_duplicates.COLUMNS", 1)
    assert near_any(hashes, hashes[5:7], radius=RADIUS).tolist() == whole.tolist()
    assert whole[5:7].all()
