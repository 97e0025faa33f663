"""Weights of another method, or of a network that differs beneath equal shapes, are refused."""

import itertools
import warnings

import pytest
import timm
import torch
from official_files import TINY, as_dinov2, dinov2_names, encoder_only, published, tiny_state

from mk11.errors import UserError
from mk11.models.classifier import create_classifier, create_encoder
from mk11.models.encoder_file import write_encoder
from mk11.models.official import recognise, split
from mk11.models.suitability import refuse_unsuited

FITTING = {  # what the sentence must say of each tiny file
    "mae": ("MAE's", "model=mae"),
    "convmae": ("ConvMAE's", "model=convmae"),
    "mixmim": ("MixMIM's", "model=mixmim model.variant=tiny"),
    "vit": ("MoCo v3's", "model=mocov3"),
    "resnet": ("MoCo v3's", "model=mocov3_resnet"),
}
KIND = {"mae": "vit", "vit": "vit", "convmae": "convmae", "mixmim": "mixmim", "resnet": "resnet"}
WRONG = [(file, network) for file, network in itertools.permutations(KIND, 2) if KIND[file] != KIND[network]]


def network_of(architecture, **options):
    with torch.device("meta"):
        return timm.create_model(architecture, num_classes=5, **options)


def check(network, state, *, told=None):
    encoder, _ = split(state)
    refuse_unsuited(network, encoder, method=recognise(state), told=told or {}, source="official.pth")


@pytest.mark.parametrize(("file", "network"), WRONG)
@pytest.mark.parametrize("allow_partial", [False, True])
def test_another_methods_file_is_refused_in_any_case(file, network, allow_partial, tmp_path):
    architecture, options, size = TINY[network]
    torch.save(tiny_state(file), tmp_path / "official.pth")
    with pytest.raises(UserError) as caught:
        create_classifier(
            architecture=architecture,
            num_classes=5,
            image_size=size,
            drop_path=None,
            weights=str(tmp_path / "official.pth"),
            allow_partial=allow_partial,
            options=options,
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
        )
    owner, fits = FITTING[file]
    begin = f"model.weights={tmp_path / 'official.pth'} must be weights of {architecture}, another kind of"
    assert str(caught.value).startswith(begin)
    assert f"the file was recognised as {owner}" in str(caught.value)
    assert f"which {fits} fits" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "size", "variant"),
    [
        ("mae", "mae_vit_large_patch16", "model=mae model.variant=large"),
        ("mae", "mae_vit_huge_patch14", "model=mae model.variant=huge"),
        ("convmae", "convmae_convvit_base_patch16", "model=convmae model.variant=base"),
        ("convmae", "paper_convvit_small", "model=convmae model.variant=small"),
        ("mixmim", "mixmim_base", "model=mixmim model.variant=base"),
        ("mixmim", "mixmim_large", "model=mixmim model.variant=large"),
        ("mocov3", "vit_small", "model=mocov3 model.variant=small"),
        ("mocov3", "vit_conv_base", "model=mocov3 model.variant=conv_base"),
        ("mocov3", "resnet50", "model=mocov3_resnet"),
    ],
)
def test_the_sentence_names_the_published_variant(method, size, variant):
    with pytest.raises(UserError, match=f"which {variant} fits$"):
        check(network_of("test_convnext"), published(method, size))


@pytest.mark.parametrize("architecture", ["convmae_tiny", "mixmim_tiny"])
@pytest.mark.parametrize(("other", "fits"), [("test_vit", "model=vit"), ("resnet18", "model=resnet")])
def test_a_plain_network_of_another_kind_is_refused_by_ours(architecture, other, fits):
    state = {name: torch.zeros(tensor.shape) for name, tensor in network_of(other).state_dict().items()}
    with pytest.raises(UserError, match=f"another kind of network.*{fits} fits"):
        check(network_of(architecture), state)


@pytest.mark.parametrize("width", [384, 768])
def test_mocos_vits_have_twelve_heads_whatever_their_width(width):
    size = {384: "small", 768: "base"}[width]
    state = published("mocov3", f"vit_{size}")
    check(network_of(f"mocov3_vit_{size}"), state)
    if size == "base":
        check(network_of("vit_base_patch16_224"), state)
        return
    with pytest.raises(
        UserError, match=r"has 6 attention heads, but the file's network has 12.*variant=small fits"
    ):
        check(network_of("vit_small_patch16_224"), state)


def test_a_mae_vit_small_has_six_heads_and_mocos_twelve():
    state = encoder_only("mae", published("mae", "unofficial_mae_vit_small_patch16_dec512d8b"))
    check(network_of("mae_vit_small"), state)
    with pytest.raises(UserError, match="has 12 attention heads, but the file's network has 6"):
        check(network_of("mocov3_vit_small"), state)


def learned(width):
    """A plain ViT's file: a learned position table is nobody's."""
    state = encoder_only("mae", published("mae", "unofficial_mae_vit_small_patch16_dec512d8b"))
    return state | {"pos_embed": torch.randn(1, 197, width)}


def test_a_file_that_says_its_heads_settles_them():
    told = {"architecture": "mocov3_vit_small", "options": {}, "num_heads": 12}
    check(network_of("mocov3_vit_small"), learned(384), told=told)
    with pytest.raises(UserError, match="has 6 attention heads, but the file's network has 12"):
        check(network_of("vit_small_patch16_224"), learned(384), told=told)
    trained = {"model": {"architecture": "vit_small_patch16_224", "options": {"num_heads": 3}}}
    with pytest.raises(UserError, match="has 12 attention heads, but the file's network has 3"):
        check(network_of("mocov3_vit_small"), learned(384), told=trained)
    with pytest.warns(UserWarning, match="the file's shapes cannot tell"):
        check(network_of("mocov3_vit_small"), learned(384), told={"architecture": "vit_small_patch16_224"})


def test_a_network_takes_its_own_file_whatever_its_heads_and_says_whose_it_is(tmp_path):
    options = {"patch_size": 12, "num_heads": 6, "depth": 1}
    made = {"architecture": "mae_vit_tiny", "image_size": 60, "options": options}
    about = {"method": "mae", **made, "mean": [0.5] * 3, "std": [0.5] * 3, "trained_on": []}
    path = tmp_path / "encoder.safetensors"
    write_encoder(path, create_encoder(**made), about)
    assert create_encoder(**made, weights=str(path)).weights_report.missing == ()
    with pytest.raises(UserError, match="has 3 attention heads, but the file's network has 6"):
        create_encoder(**made | {"options": options | {"num_heads": 3}}, weights=str(path))


def test_our_own_file_of_before_is_taken_by_the_network_it_names():
    """Files did not always say how many heads they have; an unusual width has unusual heads."""
    state = encoder_only("mae", published("mae", "unofficial_mae_vit_small_patch16_dec512d8b"))
    told = {"architecture": "mae_vit_tiny", "options": {"embed_dim": 384}}
    check(network_of("mae_vit_tiny", embed_dim=384), state, told=told)
    with pytest.raises(UserError, match="has 3 attention heads, but the file's network has 6"):
        check(network_of("mae_vit_tiny", embed_dim=384), state)


def test_no_network_is_built_of_what_a_file_says(monkeypatch):
    def build(*_, **__):
        raise AssertionError("a network was built")

    plain = network_of("vit_small_patch16_224")
    monkeypatch.setattr(timm, "create_model", build)
    for options in ({"depth": 10**6}, {"pretrained": True}, {"num_heads": 0}, {"num_heads": "many"}):
        told = {"architecture": "vit_small_patch16_224", "options": options}
        check(plain, learned(384), told=told)


@pytest.mark.parametrize("architecture", ["cait_xxs24_224", "eva02_tiny_patch14_224"])
def test_heads_of_other_transformers_are_not_doubted(architecture):
    network = network_of(architecture)
    state = {name: torch.zeros(tensor.shape) for name, tensor in network.state_dict().items()}
    check(network, state)  # warnings are errors


def test_a_convmae_of_other_heads_is_refused_where_its_file_names_them():
    told, state = (
        {"architecture": "convmae_small", "options": {"num_heads": 12}},
        published("convmae", "paper_convvit_small"),
    )
    check(network_of("convmae_small", num_heads=12), state, told=told)
    check(network_of("convmae_small"), state)
    with pytest.raises(UserError, match="has 6 attention heads, but the file's network has 12"):
        check(network_of("convmae_small"), state, told=told)


def test_a_plain_file_in_a_network_of_unusual_heads_is_warned_of():
    with pytest.warns(
        UserWarning, match="mocov3_vit_small has 12 attention heads, where a ViT of 384 .* has 6"
    ):
        check(network_of("mocov3_vit_small"), learned(384))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(network_of("vit_small_patch16_224"), learned(384))


def test_another_patch_is_refused_and_not_resampled():
    state = published("mae", "mae_vit_base_patch16")
    with pytest.raises(
        UserError, match=r"has patches of 8 px, but the file's have 16 px.*model\.variant=base fits"
    ):
        check(network_of("mae_vit_base", patch_size=8), state)
    with pytest.raises(UserError, match="has patches of 14 px, but the file's have 16 px"):
        check(network_of("vit_base_patch14_dinov2"), state)


def test_register_tokens_need_a_network_that_has_them():
    trained = timm.create_model(
        "vit_small_patch14_reg4_dinov2", embed_dim=24, depth=1, num_heads=2, img_size=28
    )
    state = as_dinov2(dinov2_names(trained))["teacher"]
    options = {"embed_dim": 24, "depth": 1, "num_heads": 2}
    check(network_of("vit_small_patch14_reg4_dinov2", **options), state)
    with pytest.raises(
        UserError, match=r"has no reg_token, .*architecture=vit_small_patch14_reg4_dinov2 fits"
    ):
        check(network_of("vit_small_patch14_dinov2", **options), state)
