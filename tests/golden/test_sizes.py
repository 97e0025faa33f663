"""Every published size of MAE, ConvMAE and MixMIM has the official tensors, rates and decay; shapes alone."""

from typing import NamedTuple

import pytest
import timm
import torch
from golden.networks import assert_published_rates, named, parameters_of, shapes_of
from golden.recipe import Golden, our_name

from mk11.ssl.convmae import ConvMAE
from mk11.ssl.mae import MAE
from mk11.ssl.mixmim import MixMIM
from mk11.ssl.optimiser import decay_groups

PUBLISHED_DECODER = {"decoder_dim": 512, "decoder_depth": 8, "decoder_heads": 16}
MLP4 = {"mlp_ratio": (4, 4, 4)}


class Sizes(NamedTuple):
    """Published sizes by their official names: timm name and options."""

    method: type
    mask_ratio: float
    base: str
    pretraining: dict
    fine_tuning: dict


SIZES = {
    "mae": Sizes(
        MAE,
        0.75,
        "mae_vit_base",
        {
            "mae_vit_base_patch16": ("mae_vit_base", {}),
            "mae_vit_large_patch16": ("mae_vit_large", {}),
            "mae_vit_huge_patch14": ("mae_vit_huge", {}),
            "unofficial_mae_vit_small_patch16_dec512d8b": ("mae_vit_small", {}),
            "unofficial_mae_vit_tiny_patch16_dec512d8b": ("mae_vit_tiny", {}),
        },
        {
            "ft_vit_base_patch16_1000": ("mae_vit_base", {"num_classes": 1000}),
            "ft_vit_large_patch16_1000": ("mae_vit_large", {"num_classes": 1000}),
            "ft_vit_huge_patch14_1000": ("mae_vit_huge", {"num_classes": 1000}),
            "ft_vit_base_patch16_11": ("mae_vit_base", {"num_classes": 11}),
        },
    ),
    "convmae": Sizes(
        ConvMAE,
        0.75,
        "convmae_base",
        {
            "convmae_convvit_base_patch16": ("convmae_base", {}),
            "paper_convvit_small": ("convmae_small", {}),
            "paper_convvit_large": ("convmae_large", {}),
            "paper_convvit_huge": ("convmae_huge", {}),
            "paper_convvit_large_mlp4": ("convmae_large", MLP4),
            "paper_convvit_huge_mlp4": ("convmae_huge", MLP4),
        },
        {"ft_convvit_base_patch16_1000": ("convmae_base", {"num_classes": 1000})},
    ),
    "mixmim": Sizes(
        MixMIM,
        0.5,
        "mixmim_base",
        {name: (name, {}) for name in ("mixmim_base", "mixmim_large", "mixmim_huge")},
        {
            "ft_mixmim_base_1000": ("mixmim_base", {"num_classes": 1000}),
            "ft_mixmim_base_384_1000": ("mixmim_base", {"num_classes": 1000, "img_size": 384}),
            "ft_mixmim_large_1000": ("mixmim_large", {"num_classes": 1000}),
            "ft_mixmim_large_384_1000": ("mixmim_large", {"num_classes": 1000, "img_size": 384}),
            "ft_mixmim_huge_1000": ("mixmim_huge", {"num_classes": 1000}),
        },
    ),
}
GOLDEN = {name: Golden(name) for name in SIZES}
PRETRAINING = [(name, size) for name, sizes in SIZES.items() for size in sizes.pretraining]
FINE_TUNING = [(name, size) for name, sizes in SIZES.items() for size in sizes.fine_tuning]


def network(architecture, options):
    with torch.device("meta"):
        return timm.create_model(architecture, **{"num_classes": 0, **options})


def published(name, architecture, options):
    with torch.device("meta"):
        return SIZES[name].method(
            encoder=network(architecture, options),
            mask_ratio=SIZES[name].mask_ratio,
            normalise_target=True,
            reference_compatible=True,
            **PUBLISHED_DECODER,
        )


def buffers_of(module):
    return sum(buffer.numel() for buffer in module.buffers())


@pytest.mark.parametrize(("name", "size"), PRETRAINING)
def test_pretraining_sizes_have_the_published_tensors(name, size):
    method, golden = published(name, *SIZES[name].pretraining[size]), GOLDEN[name]
    counts, official = golden.counts(size), golden.size(size)
    assert shapes_of(method) == {our_name(key, name): shape for key, shape in official.items()}
    assert parameters_of(method) == counts["total"]
    assert parameters_of(method, trainable=True) == counts["trainable"]
    assert parameters_of(method.encoder) == counts["encoder_only"]
    assert buffers_of(method) == counts.get("buffers", 0)


@pytest.mark.parametrize(("name", "size"), FINE_TUNING)
def test_fine_tuning_sizes_have_the_published_tensors(name, size):
    made, golden = network(*SIZES[name].fine_tuning[size]), GOLDEN[name]
    assert shapes_of(made) == golden.size(size)
    assert parameters_of(made) == golden.counts(size)["total"]
    assert parameters_of(made, trainable=True) == golden.counts(size)["trainable"]
    assert buffers_of(made) == golden.counts(size).get("buffers", 0)


@pytest.mark.parametrize("name", SIZES)
def test_no_published_size_is_left_out(name):
    sizes = SIZES[name]
    assert set(GOLDEN[name].manifest["sizes"]) == {*sizes.pretraining, *sizes.fine_tuning}


@pytest.mark.parametrize("name", SIZES)
def test_layer_wise_rates_equal_the_published_table(name):
    made = network(SIZES[name].base, {"num_classes": 11})
    assert_published_rates(made, GOLDEN[name].manifest["finetune_layer_decay"])


@pytest.mark.parametrize("name", SIZES)
def test_pretraining_decays_what_the_reference_decays(name):
    told, method = GOLDEN[name].manifest["pretrain_weight_decay"], published(name, SIZES[name].base, {})
    groups = decay_groups(method, lr=1.0, weight_decay=0.05, layer_decay=1.0, reference=True)
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    assert len(decayed) == told["n_decay"]
    assert sum(len(group["params"]) for group in groups) == told["n_decay"] + told["n_no_decay"]
    tokens = [our_name(key, name) for key in named(told["decayed_tokens_and_tables"])]
    assert {id(method.get_parameter(key)) for key in tokens} <= decayed
