"""MAE's Vision Transformers as members of timm."""

import math

import pytest
import timm
import torch
from timm.models._manipulate import group_with_matcher

import mk11.models.encoders  # noqa: F401  registers the networks
from mk11.models.encoders.vit import MAEVisionTransformer
from mk11.models.positions import sincos_table

SIZES = ("tiny", "small", "base", "large", "huge")
SMALL = {"embed_dim": 96, "depth": 2, "num_heads": 3, "patch_size": 8, "img_size": 32, "num_classes": 5}


def network(**changed):
    torch.manual_seed(0)
    return timm.create_model("mae_vit_tiny", **(SMALL | changed))


def image():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", SIZES)
def test_each_size_is_known_to_timm(size):
    assert timm.is_model(f"mae_vit_{size}")
    with torch.device("meta"):
        made = timm.create_model(f"mae_vit_{size}", num_classes=3)
    assert isinstance(made, MAEVisionTransformer)
    assert made.pretrained_cfg["architecture"] == f"mae_vit_{size}"
    assert made(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 3)


def test_the_classifier_averages_patches_and_not_the_class_token():
    vit = network().eval()
    tokens = vit.forward_features(image())
    expected = vit.fc_norm(tokens[:, 1:].mean(dim=1))
    torch.testing.assert_close(vit.forward_head(tokens, pre_logits=True), expected)
    torch.testing.assert_close(vit(image()), vit.head(expected))


def test_the_classifier_has_a_fresh_norm_in_place_of_the_encoders():
    names = network().state_dict().keys()
    assert {"fc_norm.weight", "fc_norm.bias"} <= names
    assert "norm.weight" not in names


def test_token_pooling_reads_the_normed_class_token():
    vit = network(global_pool="token").eval()
    tokens = vit.forward_features(image())
    torch.testing.assert_close(vit.forward_head(tokens, pre_logits=True), tokens[:, 0])
    torch.testing.assert_close(tokens.mean(dim=-1), torch.zeros(2, 17), atol=1e-5, rtol=0)  # normed


def test_the_encoder_without_head_ends_with_the_norm_of_pretraining():
    names = network(num_classes=0).state_dict().keys()
    assert "norm.weight" in names
    assert not any(name.startswith(("fc_norm", "head")) for name in names)


def test_features_of_the_encoder_are_the_mean_of_normed_patches():
    vit = network(num_classes=0).eval()
    torch.testing.assert_close(vit(image()), vit.forward_features(image())[:, 1:].mean(dim=1))


def test_a_new_head_is_nearly_zero():
    head = network(num_classes=1000).head
    assert head.weight.std().item() == pytest.approx(2e-5, rel=0.05)
    assert head.bias.abs().max() == 0


def test_a_reset_head_is_nearly_zero_and_of_the_new_size():
    vit = network()
    vit.reset_classifier(700)
    assert vit.num_classes == 700
    assert vit.get_classifier() is vit.head
    assert vit.head.weight.std().item() == pytest.approx(2e-5, rel=0.05)
    assert vit(image()).shape == (2, 700)
    vit.reset_classifier(0)
    assert vit(image()).shape == (2, 96)


def test_the_position_table_starts_from_sines_and_is_trainable():
    vit = network()
    table = sincos_table(96, (4, 4), row_first=False, class_token=True)
    assert torch.equal(vit.pos_embed, table)
    assert vit.pos_embed.requires_grad


def test_matrices_start_as_in_mae():
    vit = network()
    limits = {
        vit.blocks[0].attn.qkv.weight: math.sqrt(6 / (4 * 96)),  # q, k and v as one matrix
        vit.blocks[0].mlp.fc1.weight: math.sqrt(6 / (5 * 96)),
        vit.patch_embed.proj.weight: math.sqrt(6 / (96 + 3 * 8 * 8)),  # a patch as one row
    }
    for weight, limit in limits.items():
        assert 0.98 * limit < weight.abs().max() <= limit
    assert vit.blocks[0].attn.qkv.bias.abs().max() == 0
    assert 0 < vit.patch_embed.proj.bias.abs().max() <= 1 / math.sqrt(3 * 8 * 8)  # as PyTorch has it
    assert vit.cls_token.std().item() == pytest.approx(0.02, rel=0.3)


def test_initialising_anew_forgets_the_old_weights():
    vit = network()
    with torch.no_grad():
        for parameter in vit.parameters():
            parameter.fill_(7.0)
    vit.init_weights()
    assert all(parameter.abs().max() < 2 for parameter in vit.parameters())
    assert torch.equal(vit.pos_embed, network().pos_embed)


def test_every_norm_has_an_epsilon_of_a_millionth():
    norms = [module for module in network().modules() if isinstance(module, torch.nn.LayerNorm)]
    assert len(norms) == 2 * 2 + 1
    assert {norm.eps for norm in norms} == {1e-6}


def test_layers_are_embeddings_blocks_and_head():
    vit = network()
    layers = group_with_matcher(vit.named_parameters(), vit.group_matcher(), reverse=True)
    assert {layers[name] for name in ("cls_token", "pos_embed", "patch_embed.proj.weight")} == {0}
    assert (layers["blocks.0.norm1.bias"], layers["blocks.1.mlp.fc2.weight"]) == (1, 2)
    assert {layers[name] for name in ("fc_norm.weight", "head.weight")} == {3}


def test_tokens_and_positions_are_not_decayed():
    assert {"cls_token", "pos_embed"} <= network().no_weight_decay()


@pytest.mark.parametrize("size", [30, (32, 36)])
def test_an_image_of_broken_patches_is_refused(size):
    with pytest.raises(ValueError, match="image_size must be a multiple of the patch, 8 px"):
        network(img_size=size)


def test_checkpointing_gives_equal_gradients_by_running_blocks_twice():
    gradients, runs = [], []
    for enable in (False, True):
        vit = network()
        torch.nn.init.normal_(vit.head.weight)
        vit.set_grad_checkpointing(enable)
        vit.blocks[0].register_forward_pre_hook(lambda *_, enable=enable: runs.append(enable))
        vit(image()).square().sum().backward()
        gradients.append([parameter.grad for parameter in vit.parameters()])
    assert runs == [False, True, True]
    for once, again in zip(*gradients, strict=True):
        torch.testing.assert_close(once, again)


def test_drop_path_rises_with_depth():
    blocks = network(depth=3, drop_path_rate=0.2).blocks
    assert [getattr(block.drop_path1, "drop_prob", 0.0) for block in blocks] == pytest.approx([0, 0.1, 0.2])


def test_timm_reads_features_of_inner_blocks():
    vit = network(num_classes=0)
    maps = vit.forward_intermediates(image(), indices=[0, 1], intermediates_only=True)
    assert [tuple(features.shape) for features in maps] == [(2, 96, 4, 4)] * 2
