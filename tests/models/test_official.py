"""Whose file it is and what part of it is the encoder, for every published size and for the tiny models."""

import pytest
import timm
import torch
from golden.recipe import METHODS, Golden
from official_files import (
    as_dinov2,
    dinov2_names,
    encoder_only,
    finetuned,
    in_our_names,
    published,
    tiny_state,
)

from mk11.models.classifier import create_encoder
from mk11.models.official import family, is_plain_vit, plain_names, recognise, split

PRETRAINED = {
    ("mae", "mae_vit_base_patch16"): "mae_vit_base",
    ("mae", "mae_vit_large_patch16"): "mae_vit_large",
    ("mae", "mae_vit_huge_patch14"): "mae_vit_huge",
    ("mae", "unofficial_mae_vit_small_patch16_dec512d8b"): "mae_vit_small",
    ("mae", "unofficial_mae_vit_tiny_patch16_dec512d8b"): "mae_vit_tiny",
    ("convmae", "convmae_convvit_base_patch16"): "convmae_base",
    ("convmae", "paper_convvit_small"): "convmae_small",
    ("convmae", "paper_convvit_large"): "convmae_large",
    ("convmae", "paper_convvit_huge"): "convmae_huge",
    ("mixmim", "mixmim_base"): "mixmim_base",
    ("mixmim", "mixmim_large"): "mixmim_large",
    ("mixmim", "mixmim_huge"): "mixmim_huge",
    ("mocov3", "vit_small"): "mocov3_vit_small",
    ("mocov3", "vit_base"): "mocov3_vit_base",
    ("mocov3", "vit_conv_small"): "mocov3_vit_conv_small",
    ("mocov3", "vit_conv_base"): "mocov3_vit_conv_base",
    ("mocov3", "resnet50"): "resnet50",
}
SIZES = [(method, size) for method in METHODS for size in Golden(method).manifest["sizes"]]
every_size = pytest.mark.parametrize(("method", "size"), SIZES, ids=lambda value: value)


def encoder_of(architecture, **options):
    with torch.device("meta"):
        return timm.create_model(architecture, num_classes=0, **options)


def shapes(state):
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


@every_size
def test_every_published_size_is_recognised(method, size):
    assert recognise(published(method, size)) == method


@pytest.mark.parametrize(("key", "architecture"), PRETRAINED.items(), ids=lambda value: str(value))
def test_the_encoder_of_a_published_file_has_our_networks_names_and_shapes(key, architecture):
    encoder, beside = split(published(*key))
    own = shapes(encoder_of(architecture).state_dict())
    recomputed = {name for name in own if name.endswith("relative_position_index")}
    assert shapes(encoder) == {name: shape for name, shape in own.items() if name not in recomputed}
    assert beside
    assert not any(name.startswith(("patch_embed", "blocks", "norm")) for name in beside)


@pytest.mark.parametrize(("method", "size"), [key for key in PRETRAINED if key[0] != "mocov3"])
def test_the_encoder_has_the_published_number_of_parameters(method, size):
    counted = Golden(method).counts(size)["encoder_only"]
    assert sum(tensor.numel() for tensor in split(published(method, size))[0].values()) == counted


@pytest.mark.parametrize("method", METHODS)
def test_our_own_pre_training_is_recognised_by_what_lies_around_the_encoder(method):
    ours = in_our_names(Golden(method).state("vit" if method == "mocov3" else "model"), method)
    lightning = {f"method.{name}": tensor for name, tensor in ours.items()} | {"probe.weight": torch.ones(1)}
    assert recognise(lightning) == method
    encoder, beside = split(lightning)
    assert encoder.keys() >= {
        name.removeprefix("encoder.") for name in ours if name.startswith("encoder.norm")
    }
    assert "probe.weight" not in {*encoder, *beside}


def test_moco_hands_on_the_online_encoder_and_leaves_all_else_aside():
    state = tiny_state("vit")
    encoder, beside = split(state)
    assert encoder["norm.weight"] is state["base_encoder.norm.weight"]
    assert {name.split(".")[0] for name in beside} == {"projector", "momentum_encoder", "predictor"}
    assert beside["projector.0.weight"] is state["base_encoder.head.0.weight"]


def test_a_resnet_of_moco_loses_its_projector_and_nothing_else():
    encoder, beside = split(published("mocov3", "resnet50"))
    wanted = {name: shape for name, shape in shapes(timm.create_model("resnet50").state_dict()).items()}
    assert shapes(encoder) == {name: shape for name, shape in wanted.items() if not name.startswith("fc.")}
    assert "projector.0.weight" in beside


@pytest.mark.parametrize("method", ["mae", "convmae"])
def test_an_encoder_alone_is_still_recognised(method):
    alone = encoder_only(method, tiny_state(method))
    assert recognise(alone) == method
    assert split(alone) == (alone, {})


@pytest.mark.parametrize("method", ["mae", "convmae", "mixmim"])
def test_a_fine_tuned_file_is_recognised_and_keeps_its_head(method):
    state = finetuned(method)
    assert recognise(state) == method
    assert split(state)[0].keys() >= {"head.weight", "head.bias"}


def test_position_tables_tell_mae_from_moco():
    mae, moco = encoder_only("mae", tiny_state("mae")), split(tiny_state("vit"))[0]
    assert (recognise(mae), recognise(moco)) == ("mae", "mocov3")
    fine_tuned = mae | {"pos_embed": mae["pos_embed"] + 0.02 * torch.randn_like(mae["pos_embed"])}
    assert recognise(fine_tuned) == "mae"
    assert recognise(mae | {"pos_embed": torch.randn(1, 197, 96)}) is None, "a learned table is nobody's"


def test_a_fine_tuned_table_is_still_maes_where_the_norm_follows_the_mean():
    state = finetuned("mae")
    moved = state["pos_embed"] + 0.2 * torch.randn_like(state["pos_embed"])
    assert recognise(state | {"pos_embed": moved}) == "mae"
    assert recognise(encoder_only("mae", tiny_state("mae")) | {"pos_embed": moved}) is None
    learned = 0.02 * torch.randn_like(state["pos_embed"])
    assert recognise(state | {"pos_embed": learned}) is None, "any ViT that averages has such a norm"


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("beit_base_patch16_224", {}),
        ("eva02_tiny_patch14_224", {}),
        ("vit_tiny_patch16_224", {"global_pool": "avg"}),
        ("vit_base_patch16_rope_224", {}),
        ("cait_xxs24_224", {}),
    ],
)
def test_other_transformers_with_such_a_norm_are_nobodys(architecture, options):
    state = {
        name: 0.02 * torch.randn(x.shape)
        for name, x in encoder_of(architecture, **options).state_dict().items()
    }
    assert family(state) == "vit"
    assert recognise(state) is None
    assert is_plain_vit(state) == architecture.startswith("vit_tiny")


@pytest.mark.parametrize("chunks", [1, 2])
def test_a_dino_teacher_gives_its_backbone(chunks):
    network = timm.create_model("vit_small_patch14_dinov2", embed_dim=24, depth=3, num_heads=2, img_size=28)
    state = dinov2_names(network)
    encoder, beside = split(as_dinov2(state, chunks=chunks)["teacher"])
    assert recognise(as_dinov2(state, chunks=chunks)["teacher"]) == "dinov2"
    assert encoder.keys() == state.keys() - {"mask_token"}
    assert all(encoder[name] is state[name] for name in encoder)
    assert {name.split(".")[0] for name in beside} == {"mask_token", "dino_head", "ibot_head"}


@pytest.mark.parametrize(
    ("architecture", "kind", "method"),
    [
        ("test_vit", "vit", None),
        ("deit_tiny_distilled_patch16_224", "vit", "deit"),
        ("test_resnet", "resnet", None),
        ("resnet18", "resnet", None),
        ("test_convnext", None, None),
        ("test_efficientnet", None, None),
        ("swin_tiny_patch4_window7_224", None, None),
        ("vgg11_bn", None, None),
        ("convmae_tiny", "convmae", "convmae"),
        ("mixmim_tiny", "mixmim", "mixmim"),
    ],
)
def test_timm_networks_are_known_by_kind_and_pass_unchanged(architecture, kind, method):
    state = encoder_of(architecture).state_dict()
    state |= {"pos_embed": torch.zeros(state["pos_embed"].shape)} if "pos_embed" in state else {}
    assert (family(state), recognise(state)) == (kind, method)
    left = {name for name in state if not name.endswith("relative_position_index") or kind != "mixmim"}
    assert split(state)[0].keys() == left


def test_wrappers_come_off_in_any_order():
    assert list(plain_names({"module._orig_mod.norm.weight": torch.ones(1)})) == ["norm.weight"]
    assert list(plain_names({"_orig_mod.module.norm.weight": torch.ones(1)})) == ["norm.weight"]


def test_an_encoder_made_for_pre_training_takes_every_tensor_of_its_file():
    network = create_encoder(architecture="mae_vit_tiny", image_size=32, options={"depth": 1})
    assert "norm.weight" in network.state_dict()
    assert not [name for name in network.state_dict() if name.startswith(("head", "fc_norm"))]
