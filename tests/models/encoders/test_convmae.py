"""ConvMAE's encoder as a member of timm."""

import pytest
import timm
import torch
from timm.models._manipulate import group_with_matcher
from torch import nn

from mk11.errors import UserError
from mk11.models.classifier import create_encoder
from mk11.models.encoders.convmae import ConvViT
from mk11.models.positions import sincos_table

SMALL = {"embed_dim": (16, 24, 32), "depth": (1, 2, 2), "num_heads": 2, "img_size": 32, "num_classes": 5}


def network(**changed):
    torch.manual_seed(0)
    return timm.create_model("convmae_tiny", **(SMALL | changed))


def images(height=32, width=32):
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", ["tiny", "small", "base", "large", "huge"])
def test_each_size_is_known_to_timm(size):
    with torch.device("meta"):
        made = timm.create_model(f"convmae_{size}", num_classes=3)
    assert isinstance(made, ConvViT)
    assert made.pretrained_cfg["architecture"] == f"convmae_{size}"
    assert made(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 3)


def test_there_are_no_weights_to_fetch():
    with pytest.raises(RuntimeError, match="No pretrained weights"):
        timm.create_model("convmae_tiny", pretrained=True)


@pytest.mark.parametrize(
    ("size", "patch", "grid"),
    [
        (64, (4, 2, 2), (4, 4)),
        (96, (4, 2, 2), (6, 6)),
        ((48, 80), (4, 2, 2), (3, 5)),
        (40, (2, 2, 2), (5, 5)),
    ],
)
def test_any_whole_number_of_patches_is_a_size(size, patch, grid):
    convmae = network(img_size=size, patch_size=patch)
    height, width = (size, size) if isinstance(size, int) else size
    assert convmae.forward_features(images(height, width)).shape == (2, grid[0] * grid[1], 32)
    assert convmae(images(height, width)).shape == (2, 5)
    assert torch.equal(convmae.pos_embed.data, sincos_table(32, grid, row_first=False, class_token=False))


@pytest.mark.parametrize("size", [70, 8, (64, 40)])
def test_broken_patches_are_refused(size):
    with pytest.raises(ValueError, match="image_size must be a multiple of 16 px, but is"):
        network(img_size=size)


def test_a_user_is_told_which_sizes_are_allowed():
    with pytest.raises(UserError, match=r"image_size must .* multiple of 16 px, but is 70 x 70"):
        create_encoder(architecture="convmae_tiny", image_size=70, options={})


@pytest.mark.parametrize("option", ["patch_size", "embed_dim", "depth", "mlp_ratio"])
def test_every_stage_needs_its_number(option):
    with pytest.raises(UserError, match=rf"model\.options .*{option} must be 3 numbers, one for each stage"):
        create_encoder(architecture="convmae_tiny", image_size=32, options={option: [4, 2]})


def test_images_of_another_size_are_refused():
    with pytest.raises(AssertionError, match="made for"):
        network()(images(48, 32))


def test_the_classifier_norms_the_mean_afresh():
    convmae = network().eval()
    tokens = convmae.forward_features(images())
    expected = convmae.fc_norm(tokens.mean(dim=1))
    torch.testing.assert_close(convmae.forward_head(tokens, pre_logits=True), expected)
    torch.testing.assert_close(convmae(images()), convmae.head(expected))
    assert isinstance(convmae.norm, nn.Identity)


def test_the_encoder_without_head_keeps_the_norm_of_pretraining():
    convmae = network(num_classes=0)
    tokens = convmae.forward_features(images())
    torch.testing.assert_close(tokens.mean(dim=-1), torch.zeros(2, 4), atol=1e-6, rtol=0)  # normed
    torch.testing.assert_close(convmae(images()), tokens.mean(dim=1))
    assert not any(name.startswith(("fc_norm", "head")) for name in convmae.state_dict())


def test_token_pooling_reads_the_top_left_patch():
    convmae = network(global_pool="token").eval()
    tokens = convmae.forward_features(images())
    torch.testing.assert_close(convmae.forward_head(tokens, pre_logits=True), tokens[:, 0])


def test_without_pooling_all_tokens_come_out():
    assert network(num_classes=0, global_pool="")(images()).shape == (2, 4, 32)


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match="global_pool must be one of 'avg', 'token', '', but is 'max'"):
        network(global_pool="max")


def test_a_new_head_is_nearly_zero():
    convmae = network()
    for made in (convmae.head, _reset(convmae, 700)):
        assert made.weight.std().item() == pytest.approx(2e-5, rel=0.1)
        assert made.bias.abs().max() == 0
    assert convmae.num_classes == 700
    assert convmae(images()).shape == (2, 700)


def _reset(convmae, classes):
    convmae.reset_classifier(classes)
    return convmae.get_classifier()


def test_matrices_start_from_xavier_and_convolutions_as_torch_makes_them():
    convmae = network(embed_dim=(16, 24, 128), num_heads=4)
    for matrix in (convmae.patch_embed4.weight, convmae.blocks3[0].attn.qkv.weight):
        limit = (6 / sum(matrix.shape)) ** 0.5
        assert 0.98 * limit < matrix.abs().max() <= limit
    as_matrix, plain = convmae.patch_embed3.proj.weight, convmae.patch_embed2.proj.weight
    limit = (6 / (128 + as_matrix[0].numel())) ** 0.5  # xavier over a patch
    assert 0.98 * limit < as_matrix.abs().max() <= limit
    limit = plain[0].numel() ** -0.5  # torch's own
    assert 0.98 * limit < plain.abs().max() <= limit
    assert all(block.attn.proj.bias.abs().max() == 0 for block in convmae.blocks3)


def test_the_position_table_is_trained_but_not_decayed():
    convmae = network()
    assert convmae.pos_embed.requires_grad
    assert convmae.no_weight_decay() == {"pos_embed"}


def test_drop_path_rises_over_all_three_stages():
    convmae = network(drop_path_rate=0.2)
    paths = [block.drop_path for stage in (convmae.blocks1, convmae.blocks2) for block in stage]
    paths += [block.drop_path2 for block in convmae.blocks3]
    rates = [getattr(path, "drop_prob", 0.0) for path in paths]
    assert rates == pytest.approx([0.0, 0.05, 0.1, 0.15, 0.2])


@pytest.mark.parametrize("coarse", [True, False])
def test_layers_are_all_before_attention_each_block_and_the_head(coarse):
    convmae = network()
    ids = group_with_matcher(convmae.named_parameters(), convmae.group_matcher(coarse), reverse=True)
    expected = {"blocks3.0": 1, "blocks3.1": 2, "fc_norm": 3, "head": 3}
    for name in ids:
        layer = next((number for start, number in expected.items() if name.startswith(start)), 0)
        assert ids[name] == layer


def test_checkpointing_gives_equal_gradients_by_running_blocks_twice():
    gradients, runs = [], []
    for enable in (False, True):
        convmae = network()
        convmae.set_grad_checkpointing(enable)
        convmae.blocks3[0].register_forward_pre_hook(lambda *_, enable=enable: runs.append(enable))
        convmae(images()).square().sum().backward()
        gradients.append([parameter.grad for parameter in convmae.parameters()])
    assert runs == [False, True, True]
    for once, again in zip(*gradients, strict=True):
        torch.testing.assert_close(once, again)


def test_it_runs_in_bfloat16():
    convmae = network(num_classes=0).eval()
    with torch.autocast("cpu", torch.bfloat16):
        low = convmae(images())
    torch.testing.assert_close(low.float(), convmae(images()), atol=0.05, rtol=0.05)


def test_feature_maps_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match=r"^convmae_tiny gives tokens .* features_only must be left out$"):
        network(features_only=True)
