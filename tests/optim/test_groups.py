import itertools
import json
from pathlib import Path

import pytest
import timm
import torch

from mk11.optim.groups import layer_ids, layer_names, parameter_groups
from mk11.optim.optimiser import adamw

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "mae_manifest.json"
FIVE = ["convnext_tiny", "vit_base_patch16_224", "vgg16", "efficientnet_b0", "resnet50"]
SMALL = [
    "convnext_atto",
    "tf_efficientnet_lite0",
    "test_convnext",
    "test_vit",
    "vgg11_bn",
    "test_efficientnet",
    "test_resnet",
]
FIRST_WEIGHT = {
    "convnext": "stem.0.weight",
    "vit": "patch_embed.proj.weight",
    "vgg": "features.0.weight",
    "efficientnet": "conv_stem.weight",
    "resnet": "conv1",
}
every_network = pytest.mark.parametrize("architecture", FIVE + SMALL)


def network_of(architecture, **options):
    with torch.device("meta"):
        return timm.create_model(architecture, num_classes=11, **options)


def optimiser_of(network, *, layer_decay=0.75):
    groups = parameter_groups(network, lr=1e-3, weight_decay=0.05, layer_decay=layer_decay)
    return adamw(groups, betas=(0.9, 0.999))


def rate_of_each_parameter(network, optimiser):
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {names[id(p)]: group["lr"] for group in optimiser.param_groups for p in group["params"]}


@every_network
def test_every_parameter_is_in_exactly_one_group(architecture):
    network = network_of(architecture)
    grouped = [id(p) for group in optimiser_of(network).param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())


@every_network
def test_the_head_learns_at_the_full_rate_and_the_stem_slowest(architecture):
    network = network_of(architecture)
    rates = rate_of_each_parameter(network, optimiser_of(network))
    classifier = {id(p) for p in network.get_classifier().parameters()}
    head = {rates[name] for name, p in network.named_parameters() if id(p) in classifier}
    family = next(family for family in FIRST_WEIGHT if family in architecture)
    stem = {rate for name, rate in rates.items() if name.startswith(FIRST_WEIGHT[family])}
    assert head == {1e-3}
    assert stem == {min(rates.values())}
    assert min(rates.values()) < 0.3e-3


@every_network
def test_each_layer_learns_three_quarters_as_fast_as_the_one_above(architecture):
    groups = optimiser_of(network_of(architecture)).param_groups
    by_layer = {group["layer"]: group["lr"] for group in groups}
    assert sorted(by_layer) == list(range(len(by_layer))), "no gaps"
    rates = [by_layer[layer] for layer in sorted(by_layer)]
    assert all(below == pytest.approx(0.75 * above) for below, above in itertools.pairwise(rates))
    assert all(group["lr"] == pytest.approx(1e-3 * group["lr_scale"]) for group in groups)


@every_network
def test_depth_never_falls_from_input_to_output(architecture):
    network = network_of(architecture)
    ids = layer_ids(network)
    assert set(ids) == set(dict(network.named_parameters()))
    depths = [ids[name] for name, _ in network.named_parameters()]
    if architecture.endswith("lite0") or "efficientnet" in architecture:
        depths = [ids[name] for name in ids if not name.startswith(("conv_head", "bn2"))]
    assert depths == sorted(depths)


@every_network
def test_norms_biases_tokens_and_position_embeddings_are_not_decayed(architecture):
    network = network_of(architecture)
    decayed = {id(p) for g in optimiser_of(network).param_groups if g["weight_decay"] for p in g["params"]}
    wanted = {
        id(parameter)
        for module in network.modules()
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))
        for parameter in [module.weight]
    }
    assert decayed == wanted


@every_network
def test_a_layer_decay_of_one_gives_equal_rates(architecture):
    groups = optimiser_of(network_of(architecture), layer_decay=1.0).param_groups
    assert {group["lr"] for group in groups} == {1e-3}


@every_network
def test_group_names_are_unique(architecture):
    names = [group["name"] for group in optimiser_of(network_of(architecture)).param_groups]
    assert len(set(names)) == len(names)


def test_layers_have_names_that_a_reader_knows():
    assert layer_names(network_of("convnext_tiny")) == [
        "stem",
        "stage 1",
        "stage 2",
        "stage 3",
        "stage 4",
        "head",
    ]
    assert layer_names(network_of("vgg16")) == ["stem", "stage 2", "stage 3", "stage 4", "stage 5", "head"]
    assert layer_names(network_of("vit_base_patch16_224"))[::6] == ["stem", "block 6", "block 12"]


@pytest.mark.parametrize("architecture", ["vgg16", "vgg16_bn"])
def test_a_vgg_stage_is_the_convolutions_between_two_pools(architecture):
    network = network_of(architecture)
    ids = layer_ids(network)
    convolutions = [
        f"features.{i}.weight" for i, m in enumerate(network.features) if hasattr(m, "kernel_size")
    ]
    convolutions = [name for name in convolutions if name in ids]
    assert [ids[name] for name in convolutions] == [0] * 2 + [1] * 2 + [2] * 3 + [3] * 3 + [4] * 3
    assert {ids[name] for name in ids if name.startswith(("pre_logits", "head"))} == {5}
    if network.use_norm:
        assert ids["features.1.weight"] == ids["features.0.weight"]


def test_the_final_norm_of_a_vit_learns_with_the_head():
    ids = layer_ids(network_of("vit_base_patch16_224"))
    assert ids["norm.weight"] == ids["head.weight"] == 13


def test_frozen_parameters_are_left_out():
    network = network_of("test_vit")
    network.pos_embed.requires_grad = False
    grouped = {id(p) for group in optimiser_of(network).param_groups for p in group["params"]}
    assert id(network.pos_embed) not in grouped


@pytest.mark.shared
def test_vit_layers_and_decay_equal_the_published_fine_tuning_code():
    if not GOLDEN.exists():
        pytest.skip("needs golden/mae_manifest.json beside the repository")
    published = json.loads(GOLDEN.read_text())["finetune_layer_decay"]
    network = network_of("vit_base_patch16_224", global_pool="avg")  # as MAE fine-tunes: mean of the patches
    groups = parameter_groups(
        network,
        lr=1.0,
        weight_decay=published["weight_decay"],
        layer_decay=published["layer_decay"],
    )
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert len(names) == published["n_params"]
    assert len(groups) == published["n_groups"]
    for group in groups:
        for name, parameter in ((names[id(p)], p) for p in group["params"]):
            prefix = max((p for p in published["prefix"] if name.startswith(p)), key=len)
            assert group["lr_scale"] == pytest.approx(published["prefix"][prefix]["lr_scale"], rel=1e-12), (
                name
            )
            undecayed = parameter.ndim == 1 or name in published["no_decay_extra"]
            assert (group["weight_decay"] == 0) == undecayed, name
