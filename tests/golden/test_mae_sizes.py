"""Every published size of MAE has the official tensors, rates and decay; shapes alone, no weights."""

import pytest
import timm
import torch
from golden.networks import assert_published_rates, named, parameters_of, shapes_of
from golden.recipe import Golden, our_name

from mk11.models.official import to_method_name
from mk11.ssl.mae import MAE
from mk11.ssl.optimiser import decay_groups

GOLDEN = Golden("mae")
PUBLISHED_DECODER = {"decoder_dim": 512, "decoder_depth": 8, "decoder_heads": 16}
PRETRAINING = {
    "mae_vit_base_patch16": "mae_vit_base",
    "mae_vit_large_patch16": "mae_vit_large",
    "mae_vit_huge_patch14": "mae_vit_huge",
    "unofficial_mae_vit_small_patch16_dec512d8b": "mae_vit_small",
    "unofficial_mae_vit_tiny_patch16_dec512d8b": "mae_vit_tiny",
}
FINE_TUNING = {
    "ft_vit_base_patch16_1000": ("mae_vit_base", 1000),
    "ft_vit_large_patch16_1000": ("mae_vit_large", 1000),
    "ft_vit_huge_patch14_1000": ("mae_vit_huge", 1000),
    "ft_vit_base_patch16_11": ("mae_vit_base", 11),
}


def published(architecture):
    with torch.device("meta"):
        encoder = timm.create_model(architecture, num_classes=0)
        return MAE(
            encoder=encoder,
            mask_ratio=0.75,
            normalise_target=True,
            reference_compatible=True,
            **PUBLISHED_DECODER,
        )


@pytest.mark.parametrize("size", PRETRAINING)
def test_pretraining_sizes_have_the_published_tensors(size):
    method, counts = published(PRETRAINING[size]), GOLDEN.counts(size)
    assert shapes_of(method) == {our_name(name, "mae"): shape for name, shape in GOLDEN.size(size).items()}
    assert parameters_of(method) == counts["total"]
    assert parameters_of(method, trainable=True) == counts["trainable"]
    assert parameters_of(method.encoder) == counts["encoder_only"]


@pytest.mark.parametrize("size", FINE_TUNING)
def test_fine_tuning_sizes_have_the_published_tensors(size):
    architecture, classes = FINE_TUNING[size]
    with torch.device("meta"):
        network = timm.create_model(architecture, num_classes=classes)
    assert shapes_of(network) == GOLDEN.size(size)
    assert parameters_of(network) == GOLDEN.counts(size)["total"]
    assert parameters_of(network, trainable=True) == GOLDEN.counts(size)["trainable"]


def test_no_published_size_is_left_out():
    assert set(GOLDEN.manifest["sizes"]) == {*PRETRAINING, *FINE_TUNING}


def test_layer_wise_rates_equal_the_published_table():
    with torch.device("meta"):
        network = timm.create_model("mae_vit_base", num_classes=11)
    assert_published_rates(network, GOLDEN.manifest["finetune_layer_decay"])


def test_pretraining_decays_what_the_reference_decays():
    told = GOLDEN.manifest["pretrain_weight_decay"]
    method = published("mae_vit_base")
    groups = decay_groups(method, lr=1.0, weight_decay=0.05, layer_decay=1.0, reference=True)
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    assert len(decayed) == told["n_decay"]
    assert sum(len(group["params"]) for group in groups) == told["n_decay"] + told["n_no_decay"]
    tokens = [our_name(name, "mae") for name in named(told["decayed_tokens_and_tables"])]
    assert {id(method.get_parameter(name)) for name in tokens} <= decayed


def test_official_names_are_renamed_alike_by_the_package():
    for name in GOLDEN.keys():  # noqa: SIM118
        assert to_method_name(name, "mae") == our_name(name, "mae")
