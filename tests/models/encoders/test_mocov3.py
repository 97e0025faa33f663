"""MoCo v3's encoders as timm networks (their sizes and numbers: tests/golden/test_mocov3.py)."""

import math

import pytest
import timm
import torch
from torch import nn

import mk11.models.encoders.mocov3  # noqa: F401  (registers the encoders)
from mk11.models.positions import sincos_table

TINY = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 3, "num_classes": 4}
NAMES = ("mocov3_vit_tiny", "mocov3_vit_conv_tiny")


def network(name=NAMES[0], **changed):
    torch.manual_seed(0)
    return timm.create_model(name, **TINY | changed)


def test_heads_and_depth_are_those_of_the_paper():
    with torch.device("meta"):
        sizes = {name: timm.create_model(name) for name in timm.list_models("mocov3_*")}
    shapes = {name: (len(net.blocks), net.blocks[0].attn.num_heads) for name, net in sizes.items()}
    assert shapes == {
        "mocov3_vit_tiny": (12, 3),
        "mocov3_vit_small": (12, 12),
        "mocov3_vit_base": (12, 12),
        "mocov3_vit_conv_tiny": (11, 3),
        "mocov3_vit_conv_small": (11, 12),
        "mocov3_vit_conv_base": (11, 12),
    }


@pytest.mark.parametrize("name", NAMES)
def test_images_become_logits_of_the_class_token(name):
    made = network(name).eval()
    image = torch.randn(2, 3, 32, 32)
    tokens = made.forward_features(image)
    assert tokens.shape == (2, 17, 48)
    assert torch.equal(made.forward_head(tokens, pre_logits=True), tokens[:, 0])
    assert torch.equal(made(image), made.head(tokens[:, 0]))


@pytest.mark.parametrize("name", NAMES)
def test_an_encoder_without_head_gives_the_class_token_itself(name):
    made = network(name, num_classes=0).eval()
    image = torch.randn(2, 3, 32, 32)
    assert torch.equal(made(image), made.forward_features(image)[:, 0])
    assert made.num_features == 48


@pytest.mark.parametrize(("side", "grid"), [(32, (4, 4)), (96, (12, 12))])
def test_the_position_table_is_fixed_sines_the_rows_half_first(side, grid):
    made = network(img_size=side)
    table = sincos_table(48, grid, row_first=True, class_token=True)
    assert torch.equal(made.pos_embed, table)
    assert made.pos_embed.requires_grad  # fine-tuning trains it


def limit(weight):
    """The end of a uniform distribution of which `weight` is a large sample."""
    return weight.abs().max().item()


def test_matrices_start_xavier_with_q_k_and_v_apart():
    block = network(embed_dim=96).blocks[0]
    assert limit(block.attn.qkv.weight) == pytest.approx(math.sqrt(6 / (96 + 96)), rel=0.01)
    assert limit(block.attn.proj.weight) == pytest.approx(math.sqrt(6 / (96 + 96)), rel=0.01)
    assert limit(block.mlp.fc1.weight) == pytest.approx(math.sqrt(6 / (96 + 384)), rel=0.01)
    biases = [layer.bias for layer in network().modules() if isinstance(layer, nn.Linear)]
    assert all(bias.abs().max() == 0 for bias in biases)


def test_the_class_token_starts_next_to_zero_and_the_patch_embedding_as_one_matrix():
    made = network()
    assert 0 < made.cls_token.abs().max() < 1e-5
    assert limit(made.patch_embed.proj.weight) == pytest.approx(math.sqrt(6 / (3 * 64 + 48)), rel=0.01)
    assert made.patch_embed.proj.bias.abs().max() == 0


def test_a_stem_halves_the_image_with_each_convolution_and_doubles_the_channels():
    stem = network(NAMES[1], patch_size=16, embed_dim=96).patch_embed.proj
    convolutions = [layer for layer in stem if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [12, 24, 48, 96, 96]
    assert [layer.stride[0] for layer in convolutions] == [2, 2, 2, 2, 1]
    assert [layer.bias is None for layer in convolutions] == [True, True, True, True, False]
    assert stem(torch.randn(2, 3, 32, 32)).shape == (2, 96, 2, 2)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_of_broken_patches_is_refused(name):
    with pytest.raises(ValueError, match="image_size must be a multiple of the patch, 8 px, but is 36"):
        network(name, img_size=36)


@pytest.mark.parametrize("name", NAMES)
def test_broken_patches_are_padded_where_asked_for(name):
    made = network(name, dynamic_img_size=True, dynamic_img_pad=True, img_size=40).eval()
    assert made(torch.randn(2, 3, 36, 36)).shape == (2, 4)


@pytest.mark.parametrize("changed", [{"patch_size": 12, "img_size": 36}, {"patch_size": 16, "embed_dim": 36}])
def test_a_stem_that_cannot_be_halved_is_refused(changed):
    with pytest.raises(ValueError, match=r"patch_size of a convolutional stem must be a power of two"):
        network(NAMES[1], **changed)


@pytest.mark.parametrize("name", NAMES)
def test_layers_are_counted_from_the_stem_through_the_blocks(name):
    made = network(name)
    groups = timm.models.group_parameters(made, made.group_matcher(), reverse=True)
    assert {groups[key] for key in groups if key.startswith(("patch_embed", "pos_embed", "cls_token"))} == {0}
    assert groups["blocks.1.attn.qkv.weight"] == 2
    assert groups["head.weight"] == 3
    assert made.no_weight_decay() >= {"pos_embed", "cls_token"}


def test_a_new_head_takes_other_classes():
    made = network()
    made.reset_classifier(7)
    assert made.get_classifier().out_features == made.num_classes == 7
    assert made(torch.randn(1, 3, 32, 32)).shape == (1, 7)
