"""MixMIM's encoder as a member of timm."""

import pytest
import timm
import torch
from timm.models._manipulate import group_with_matcher

from mk11.errors import UserError
from mk11.models.classifier import create_encoder
from mk11.models.encoders.mixmim import WindowTransformer
from mk11.models.positions import sincos_table

SMALL = {
    "embed_dim": 8,
    "depths": (1, 2, 2, 1),
    "num_heads": (1, 1, 2, 2),
    "img_size": 64,
    "num_classes": 5,
}


def network(**changed):
    torch.manual_seed(0)
    return timm.create_model("mixmim_tiny", **(SMALL | changed))


def images(height=64, width=64):
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", ["tiny", "base", "large", "huge"])
def test_each_size_is_known_to_timm(size):
    with torch.device("meta"):
        made = timm.create_model(f"mixmim_{size}", num_classes=3)
    assert isinstance(made, WindowTransformer)
    assert made.pretrained_cfg["architecture"] == f"mixmim_{size}"
    assert made(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 3)


@pytest.mark.parametrize(
    ("size", "patch", "tokens"), [(64, 4, 4), (96, 4, 9), ((64, 96), 4, 6), (48, 2, 9), (128, 4, 16)]
)
def test_sizes_that_windows_divide_are_taken(size, patch, tokens):
    mixmim = network(img_size=size, patch_size=patch)
    height, width = (size, size) if isinstance(size, int) else size
    assert mixmim.forward_features(images(height, width)).shape == (2, tokens, 64)
    assert mixmim(images(height, width)).shape == (2, 5)
    table = sincos_table(8, (height // patch, width // patch), row_first=False, class_token=False)
    assert torch.equal(mixmim.absolute_pos_embed.data, table)


@pytest.mark.parametrize("size", [80, 16, (64, 48)])
def test_broken_strides_are_refused(size):
    with pytest.raises(ValueError, match="image_size must be a multiple of 32 px, but is"):
        network(img_size=size)


@pytest.mark.parametrize(
    ("size", "allowed"), [(80, "a multiple of 32 px, but is 80 x 80"), (544, "as 512 or 576 px do")]
)
def test_a_user_is_told_which_sizes_are_allowed(size, allowed):
    with pytest.raises(UserError, match=f"image_size must .*{allowed}"):
        create_encoder(architecture="mixmim_tiny", image_size=size, options={})


def test_windows_may_be_given():
    assert network(window_size=(8, 4, 4, 2)).window_size == (8, 4, 4, 2)
    with pytest.raises(UserError, match=r"model\.options .*window_size must divide"):
        create_encoder(architecture="mixmim_tiny", image_size=64, options={"window_size": [7, 7, 7, 7]})


@pytest.mark.parametrize("option", ["depths", "num_heads"])
def test_every_stage_needs_its_number(option):
    with pytest.raises(UserError, match=rf"model\.options .*{option} must be 4 numbers, one for each stage"):
        create_encoder(architecture="mixmim_tiny", image_size=64, options={option: [2, 2, 2]})


def test_the_classifier_keeps_the_norm_of_pretraining():
    mixmim = network().eval()
    tokens = mixmim.forward_features(images())
    torch.testing.assert_close(tokens.mean(dim=-1), torch.zeros(2, 4), atol=1e-6, rtol=0)  # normed
    torch.testing.assert_close(mixmim.forward_head(tokens, pre_logits=True), tokens.mean(dim=1))
    torch.testing.assert_close(mixmim(images()), mixmim.head(tokens.mean(dim=1)))


def test_a_reset_head_is_nearly_zero_and_of_the_new_size():
    mixmim = network()
    mixmim.reset_classifier(700)
    assert mixmim.get_classifier().weight.std().item() == pytest.approx(2e-5, rel=0.1)
    assert mixmim(images()).shape == (2, 700)
    mixmim.reset_classifier(0)
    assert mixmim(images()).shape == (2, 64)


def test_matrices_start_from_xavier_and_biases_of_places_small():
    mixmim = network()
    for matrix in (mixmim.layers[3].blocks[0].attn.qkv.weight, mixmim.layers[2].downsample.reduction.weight):
        limit = (6 / sum(matrix.shape)) ** 0.5
        assert 0.98 * limit < matrix.abs().max() <= limit
    table = mixmim.layers[0].blocks[0].attn.relative_position_bias_table
    assert table.std().item() == pytest.approx(0.02, rel=0.1)


def test_position_sines_are_fixed_and_place_biases_learned():
    mixmim = network()
    mixmim(images()).sum().backward()
    assert {name for name, value in mixmim.named_parameters() if value.grad is None} == {"absolute_pos_embed"}
    assert mixmim.no_weight_decay() == set()


def test_drop_path_rises_over_all_blocks():
    paths = [block.drop_path for layer in network(drop_path_rate=0.2).layers for block in layer.blocks]
    rates = [getattr(path, "drop_prob", 0.0) for path in paths]
    assert rates == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16, 0.2])


@pytest.mark.parametrize("coarse", [True, False])
def test_merging_learns_as_the_block_after_it(coarse):
    mixmim = network()
    ids = group_with_matcher(mixmim.named_parameters(), mixmim.group_matcher(coarse), reverse=True)
    expected = {
        "absolute_pos_embed": 0,
        "patch_embed": 0,
        "layers.0.blocks.0": 1,
        "layers.0.downsample": 2,
        "layers.1.blocks.0": 2,
        "layers.1.blocks.1": 3,
        "layers.1.downsample": 4,
        "layers.2.blocks.0": 4,
        "layers.2.blocks.1": 5,
        "layers.2.downsample": 6,
        "layers.3.blocks.0": 6,
        "norm": 7,
        "head": 7,
    }
    for start, layer in expected.items():
        assert {ids[name] for name in ids if name.startswith(f"{start}.") or name == start} == {layer}
    assert len(ids) == len(list(mixmim.parameters()))


def test_one_origin_everywhere_is_no_mask_at_all():
    mixmim = network(num_classes=0)
    embedded = mixmim.patch_embed(images())
    same = mixmim.attend(embedded, torch.ones(2, 2, dtype=torch.bool))
    torch.testing.assert_close(same, mixmim.attend(embedded, None))


def test_checkpointing_gives_equal_gradients_by_running_blocks_twice():
    gradients, runs = [], []
    for enable in (False, True):
        mixmim = network()
        mixmim.set_grad_checkpointing(enable)
        mixmim.layers[2].blocks[0].register_forward_pre_hook(lambda *_, enable=enable: runs.append(enable))
        mixmim(images()).square().sum().backward()
        gradients.append([parameter.grad for parameter in mixmim.parameters()])
    assert runs == [False, True, True]
    for once, again in zip(*gradients, strict=True):
        torch.testing.assert_close(once, again)


@pytest.mark.parametrize("grad", [True, False], ids=["plain", "fused"])
def test_it_runs_in_bfloat16(grad):
    mixmim = network(num_classes=0).eval()
    with torch.set_grad_enabled(grad), torch.autocast("cpu", torch.bfloat16):
        low = mixmim(images())
    torch.testing.assert_close(low.float(), mixmim(images()), atol=0.05, rtol=0.05)


def test_feature_maps_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match=r"^mixmim_tiny gives tokens .* features_only must be left out$"):
        network(features_only=True)
