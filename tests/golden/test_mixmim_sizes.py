"""Every published size of MixMIM has the official tensors, rates and decay; shapes alone, no weights."""

import pytest
import timm
import torch
from golden.networks import assert_published_rates, named, parameters_of, shapes_of
from golden.recipe import Golden, our_name

from mk11.models.official import to_method_name
from mk11.ssl.mixmim import MixMIM
from mk11.ssl.optimiser import decay_groups

GOLDEN = Golden("mixmim")
PUBLISHED_DECODER = {"decoder_dim": 512, "decoder_depth": 8, "decoder_heads": 16}
PRETRAINING = ("mixmim_base", "mixmim_large", "mixmim_huge")
FINE_TUNING = {
    "ft_mixmim_base_1000": ("mixmim_base", 224),
    "ft_mixmim_base_384_1000": ("mixmim_base", 384),
    "ft_mixmim_large_1000": ("mixmim_large", 224),
    "ft_mixmim_large_384_1000": ("mixmim_large", 384),
    "ft_mixmim_huge_1000": ("mixmim_huge", 224),
}


def published(architecture):
    with torch.device("meta"):
        return MixMIM(
            encoder=timm.create_model(architecture, num_classes=0),
            mask_ratio=0.5,
            normalise_target=True,
            reference_compatible=True,
            **PUBLISHED_DECODER,
        )


@pytest.mark.parametrize("size", PRETRAINING)
def test_pretraining_sizes_have_the_published_tensors(size):
    method, counts, official = published(size), GOLDEN.counts(size), GOLDEN.size(size)
    assert shapes_of(method) == {our_name(name, "mixmim"): shape for name, shape in official.items()}
    assert parameters_of(method) == counts["total"]
    assert parameters_of(method, trainable=True) == counts["trainable"]
    assert parameters_of(method.encoder) == counts["encoder_only"]
    assert sum(buffer.numel() for buffer in method.buffers()) == counts["buffers"]


@pytest.mark.parametrize("size", FINE_TUNING)
def test_fine_tuning_sizes_have_the_published_tensors(size):
    architecture, side = FINE_TUNING[size]
    with torch.device("meta"):
        network = timm.create_model(architecture, num_classes=1000, img_size=side)
    assert shapes_of(network) == GOLDEN.size(size)
    assert parameters_of(network) == GOLDEN.counts(size)["total"]
    assert parameters_of(network, trainable=True) == GOLDEN.counts(size)["trainable"]
    assert sum(buffer.numel() for buffer in network.buffers()) == GOLDEN.counts(size)["buffers"]


def test_no_published_size_is_left_out():
    assert set(GOLDEN.manifest["sizes"]) == {*PRETRAINING, *FINE_TUNING}


def test_layer_wise_rates_equal_the_published_table():
    with torch.device("meta"):
        network = timm.create_model("mixmim_base", num_classes=11)
    assert_published_rates(network, GOLDEN.manifest["finetune_layer_decay"])


def test_pretraining_decays_what_the_reference_decays():
    told, method = GOLDEN.manifest["pretrain_weight_decay"], published("mixmim_base")
    groups = decay_groups(method, lr=1.0, weight_decay=0.05, layer_decay=1.0, reference=True)
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    assert len(decayed) == told["n_decay"]
    assert sum(len(group["params"]) for group in groups) == told["n_decay"] + told["n_no_decay"]
    tokens = [our_name(name, "mixmim") for name in named(told["decayed_tokens_and_tables"])]
    assert {id(method.get_parameter(name)) for name in tokens} <= decayed


def test_official_names_are_renamed_alike_by_the_package():
    for name in GOLDEN.keys():  # noqa: SIM118
        assert to_method_name(name, "mixmim") == our_name(name, "mixmim")
