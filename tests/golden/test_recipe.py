"""The recipe draws the weights and inputs that the stored numbers belong to."""

import zlib

import numpy as np
import pytest
from golden.recipe import METHODS, Golden, images, names_of, relative_index, sincos

CHECKSUMS = [(method, name) for method in METHODS for name in Golden(method).meta["crc32"]]
INPUTS = ("imgs", "imgs_resized", "x1", "x2")


@pytest.fixture(scope="module")
def golden():
    return {method: Golden(method) for method in METHODS}


def drawn_bytes(golden, name):
    if name in INPUTS:
        return golden.images(name).numpy().tobytes()
    if name == "noise":
        return golden.noise().numpy().tobytes()
    kind, _, entry = name.rpartition("/")
    generated = golden.generated(kind or "model")
    chosen = sorted(generated) if entry == "ALL" else [entry]
    return b"".join(generated[key].tobytes() for key in chosen)


@pytest.mark.parametrize(("method", "name"), CHECKSUMS)
def test_weights_and_inputs_have_the_checksums_told(golden, method, name):
    assert zlib.crc32(drawn_bytes(golden[method], name)) == golden[method].meta["crc32"][name]


def test_braces_count_list_and_multiply():
    assert names_of("blocks.{0-2}.{norm1,norm2}.bias") == [
        f"blocks.{block}.{norm}.bias" for block in range(3) for norm in ("norm1", "norm2")
    ]


@pytest.mark.parametrize("method", METHODS)
def test_every_published_size_has_as_many_keys_as_told(golden, method):
    for size in golden[method].manifest["sizes"]:
        assert len(golden[method].size(size)) == golden[method].counts(size)["n_keys"]


def accepted(golden, array, value):
    return golden.difference(array, np.asarray(value)).ratio <= 1


@pytest.mark.parametrize("method", ["mae", "convmae"])
def test_masks_follow_from_the_noise(golden, method):
    rank = golden[method].noise().numpy().argsort(axis=1).argsort(axis=1)
    assert accepted(golden[method], "ids_restore", rank)
    assert accepted(golden[method], "mask", rank >= 49)


@pytest.mark.parametrize("method", ["mae", "convmae", "mixmim"])
def test_targets_follow_from_the_images(golden, method):
    reference = golden[method]
    picture = reference.images("imgs").numpy().astype(np.float64)
    patch = 32 if method == "mixmim" else 16
    few = 2 if method == "mixmim" else 4
    tiles = [
        [
            image[:, top : top + patch, left : left + patch].transpose(1, 2, 0).ravel()
            for top in range(0, 224, patch)
            for left in range(0, 224, patch)
        ]
        for image in picture
    ]
    target = np.array(tiles)
    deviation = np.sqrt(target.var(axis=-1, ddof=1, keepdims=True) + 1e-6)
    normalised = (target - target.mean(axis=-1, keepdims=True)) / deviation
    assert accepted(reference, "target_raw", target)
    assert accepted(reference, "target_normpix", normalised)
    assert accepted(reference, f"target_normpix_first{few}", normalised[:1, :few])


@pytest.mark.parametrize(
    ("method", "array"),
    [
        ("mae", "pos_embed"),
        ("mae", "decoder_pos_embed"),
        ("convmae", "pos_embed"),
        ("convmae", "decoder_pos_embed"),
        ("mixmim", "absolute_pos_embed"),
        ("mixmim", "decoder_pos_embed"),
    ],
)
def test_position_tables_follow_from_their_definition(golden, method, array):
    assert accepted(golden[method], array, golden[method].state()[array])


def test_position_tables_of_published_widths_follow_from_their_definition(golden):
    table = np.concatenate([np.zeros((1, 768)), sincos(768, 14, row_first=False)])
    assert accepted(golden["mae"], "sincos_768_14", table)
    table = np.concatenate([np.zeros((1, 384)), sincos(384, 14, row_first=True)])
    assert accepted(golden["mocov3"], "sincos_384_14", table[None])
    assert accepted(golden["mocov3"], "pos_embed", golden["mocov3"].state("vit")["base_encoder.pos_embed"])


@pytest.mark.parametrize("window", [7, 14])
def test_window_indices_follow_from_their_definition(golden, window):
    assert accepted(golden["mixmim"], f"rel_index_w{window}", relative_index(window))


def test_a_value_beyond_its_tolerance_is_told(golden):
    moved = golden["mae"].state()["pos_embed"].clone()
    moved[0, 13, 5] += 1e-5  # five times what is allowed, in the part that is stored
    assert 4.9 < golden["mae"].difference("pos_embed", moved).ratio < 5.1


def test_a_change_outside_the_stored_part_is_told(golden):
    moved = golden["mae"].state()["pos_embed"].clone()
    moved[0, 1, 1] += 1.0
    assert golden["mae"].difference("pos_embed", moved).ratio > 1


def test_an_exact_quantity_takes_no_other_value(golden):
    restore = golden["mae"].values["ids_restore"].copy()
    restore[1, 5] += 1
    assert golden["mae"].difference("ids_restore", restore).ratio == np.inf


def test_the_first_patch_is_flat_and_the_second_nearly(golden):
    picture = images("imgs", (2, 3, 64, 64))
    assert picture[0, :, :16, :16].std() == 0
    assert 0 < picture[0, :, :16, 16:32].std() < 0.002
