import itertools

import pytest
import timm
import torch
from golden.recipe import Golden

from mk11.optim.groups import layer_ids, layer_names, parameter_groups
from mk11.optim.optimiser import adamw

ARCHITECTURE = {"mae": "mae_vit", "convmae": "convmae", "mixmim": "mixmim"}
FIVE = ["convnext_tiny", "vit_base_patch16_224", "vgg16", "efficientnet_b0", "resnet50"]
SMALL = [
    "convnext_atto",
    "tf_efficientnet_lite0",
    "test_convnext",
    "test_vit",
    "vgg11_bn",
    "test_efficientnet",
    "test_resnet",
    "mae_vit_tiny",
    "convmae_tiny",
    "mixmim_tiny",
    "mocov3_vit_conv_tiny",
]
FIRST_WEIGHT = {
    "convnext": "stem.0.weight",
    "vit": "patch_embed.proj.",
    "convmae": "patch_embed1.proj.weight",
    "mixmim": "patch_embed.proj.weight",
    "vgg": "features.0.weight",
    "efficientnet": "conv_stem.weight",
    "resnet": "conv1",
}
every_network = pytest.mark.parametrize("architecture", FIVE + SMALL)


def network_of(architecture, **options):
    with torch.device("meta"):
        return timm.create_model(architecture, num_classes=11, **options)


def optimiser_of(network, *, layer_decay=0.75):
    groups = parameter_groups(network, lr=1e-3, weight_decay=0.05, layer_decay=layer_decay, reference=False)
    return adamw(groups, betas=(0.9, 0.999))


def rate_of_each_parameter(network, optimiser):
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {names[id(p)]: group["lr"] for group in optimiser.param_groups for p in group["params"]}


@every_network
def test_every_parameter_is_in_exactly_one_group(architecture):
    network = network_of(architecture)
    grouped = [id(p) for group in optimiser_of(network).param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters() if p.requires_grad)


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


def finetuned(method, **options):
    """The network of the manifest's table, on the meta device."""
    return network_of(f"{ARCHITECTURE[method]}_base", **options)


@pytest.mark.parametrize("method", ARCHITECTURE)
def test_reference_layers_and_decay_equal_the_published_fine_tuning_code(method):
    published = Golden(method).manifest["finetune_layer_decay"]
    network = finetuned(method)
    groups = parameter_groups(
        network,
        lr=1.0,
        weight_decay=published["weight_decay"],
        layer_decay=published["layer_decay"],
        reference=True,
    )
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    grouped = {names[id(p)] for group in groups for p in group["params"]}
    assert set(names.values()) - grouped == set(published["frozen"])
    assert len(grouped) == published["n_params"]
    assert len(groups) == published["n_groups"]
    for group in groups:
        for name, parameter in ((names[id(p)], p) for p in group["params"]):
            prefix = max((p for p in published["prefix"] if name.startswith(p)), key=len)
            wanted = published["prefix"][prefix]
            assert group["layer"] == wanted["layer_id"], name
            assert group["lr_scale"] == pytest.approx(wanted["lr_scale"], rel=1e-12), name
            undecayed = parameter.ndim == 1 or name in published["no_decay_extra"]
            assert (group["weight_decay"] == 0) == undecayed, name


@pytest.mark.parametrize(
    "architecture", ["mae_vit_base", "vit_base_patch16_224", "convmae_base", "convnext_tiny"]
)
def test_the_reference_differs_for_mixmim_alone(architecture):
    network = network_of(architecture)
    assert table_of(network, reference=True) == table_of(network, reference=False)


def test_by_default_mixmims_head_learns_at_the_full_rate_and_its_biases_are_not_decayed():
    ours, theirs = (table_of(finetuned("mixmim"), reference=reference) for reference in (False, True))
    changed = {name for name in ours if ours[name] != theirs[name]}
    tables = {name for name in ours if name.endswith("relative_position_bias_table")}
    top = {"norm.weight", "norm.bias", "head.weight", "head.bias"}
    assert changed == tables | top
    assert {ours[name][0] for name in top} == {1.0}
    assert {theirs[name][0] for name in top} == {0.75}
    assert {ours[name][1] for name in tables} == {0.0}
    assert {theirs[name][1] for name in tables} == {0.05}


def table_of(network, *, reference):
    """{name: (scale of the learning rate, weight decay)}."""
    groups = parameter_groups(network, lr=1.0, weight_decay=0.05, layer_decay=0.75, reference=reference)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {names[id(p)]: (g["lr_scale"], g["weight_decay"]) for g in groups for p in g["params"]}


def test_mixmims_merging_learns_with_the_block_that_follows_it():
    ids = layer_ids(finetuned("mixmim"))
    assert ids["layers.0.downsample.reduction.weight"] == ids["layers.1.blocks.0.attn.qkv.weight"] == 3
    assert ids["layers.2.downsample.norm.weight"] == ids["layers.3.blocks.0.norm1.weight"] == 23
    assert layer_names(finetuned("mixmim"))[::12] == ["stem", "block 12", "block 24"]


def test_all_before_convmaes_attention_blocks_is_the_stem():
    ids = layer_ids(finetuned("convmae"))
    stem = ("pos_embed", "patch_embed", "blocks1", "blocks2")
    assert {name for name in ids if ids[name] == 0} == {name for name in ids if name.startswith(stem)}
    assert layer_names(finetuned("convmae")) == ["stem", *(f"block {i}" for i in range(1, 12)), "head"]
