"""Every published size of ConvMAE has the official tensors, rates and decay; shapes alone, no weights."""

import pytest
import timm
import torch
from golden.networks import assert_published_rates, named, parameters_of, shapes_of
from golden.recipe import Golden, our_name

from mk11.models.official import to_method_name
from mk11.ssl.convmae import ConvMAE
from mk11.ssl.optimiser import decay_groups

GOLDEN = Golden("convmae")
PUBLISHED_DECODER = {"decoder_dim": 512, "decoder_depth": 8, "decoder_heads": 16}
PRETRAINING = {
    "convmae_convvit_base_patch16": ("convmae_base", {}),
    "paper_convvit_small": ("convmae_small", {}),
    "paper_convvit_large": ("convmae_large", {}),
    "paper_convvit_huge": ("convmae_huge", {}),
    "paper_convvit_large_mlp4": ("convmae_large", {"mlp_ratio": (4, 4, 4)}),
    "paper_convvit_huge_mlp4": ("convmae_huge", {"mlp_ratio": (4, 4, 4)}),
}
FINE_TUNING = "ft_convvit_base_patch16_1000"


def published(architecture, options):
    with torch.device("meta"):
        return ConvMAE(
            encoder=timm.create_model(architecture, num_classes=0, **options),
            mask_ratio=0.75,
            normalise_target=True,
            reference_compatible=True,
            **PUBLISHED_DECODER,
        )


@pytest.mark.parametrize("size", PRETRAINING)
def test_pretraining_sizes_have_the_published_tensors(size):
    method, counts, official = published(*PRETRAINING[size]), GOLDEN.counts(size), GOLDEN.size(size)
    assert shapes_of(method) == {our_name(name, "convmae"): shape for name, shape in official.items()}
    assert parameters_of(method) == counts["total"]
    assert parameters_of(method, trainable=True) == counts["trainable"]
    assert parameters_of(method.encoder) == counts["encoder_only"]


def test_the_fine_tuning_size_has_the_published_tensors():
    with torch.device("meta"):
        network = timm.create_model("convmae_base", num_classes=1000)
    assert shapes_of(network) == GOLDEN.size(FINE_TUNING)
    assert parameters_of(network) == GOLDEN.counts(FINE_TUNING)["total"]
    assert parameters_of(network, trainable=True) == GOLDEN.counts(FINE_TUNING)["trainable"]


def test_no_published_size_is_left_out():
    assert set(GOLDEN.manifest["sizes"]) == {*PRETRAINING, FINE_TUNING}


def test_layer_wise_rates_equal_the_published_table():
    with torch.device("meta"):
        network = timm.create_model("convmae_base", num_classes=11)
    assert_published_rates(network, GOLDEN.manifest["finetune_layer_decay"])


def test_pretraining_decays_what_the_reference_decays():
    told, method = GOLDEN.manifest["pretrain_weight_decay"], published("convmae_base", {})
    groups = decay_groups(method, lr=1.0, weight_decay=0.05, layer_decay=1.0, reference=True)
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    assert len(decayed) == told["n_decay"]
    assert sum(len(group["params"]) for group in groups) == told["n_decay"] + told["n_no_decay"]
    tokens = [our_name(name, "convmae") for name in named(told["decayed_tokens_and_tables"])]
    assert {id(method.get_parameter(name)) for name in tokens} <= decayed


def test_official_names_are_renamed_alike_by_the_package():
    for name in GOLDEN.keys():  # noqa: SIM118
        assert to_method_name(name, "convmae") == our_name(name, "convmae")
