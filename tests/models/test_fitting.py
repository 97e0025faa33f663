"""Tables of a file on the network's own grid, whatever its shape, and on networks that are no plain ViT."""

import pytest
import timm
import torch
from timm.layers import resample_abs_pos_embed, resample_abs_pos_embed_nhwc

from mk11.errors import UserError
from mk11.models.fitting import fitted
from mk11.models.positions import resized_table
from mk11.models.weights import load_weights

OURS = {  # architecture: options, table, patch
    "mae_vit_tiny": ({"depth": 1}, "pos_embed", 16),
    "mocov3_vit_tiny": ({"depth": 1}, "pos_embed", 16),
    "convmae_tiny": ({"depth": (1, 1, 1)}, "pos_embed", 16),
    "mixmim_tiny": ({"depths": (1, 1, 1, 1), "window_size": (2, 2, 2, 1)}, "absolute_pos_embed", 4),
}


def network(architecture, size, **options):
    torch.manual_seed(0)
    return timm.create_model(architecture, img_size=size, num_classes=0, **options)


@pytest.mark.parametrize("size", [(64, 160), (160, 64), (64, 128), 160], ids=str)
@pytest.mark.parametrize("architecture", OURS)
def test_a_square_table_goes_onto_the_networks_own_grid(architecture, size):
    options, name, patch = OURS[architecture]
    state = network(architecture, 96, **options).state_dict()
    state[name] = torch.randn_like(state[name])
    other = network(architecture, size, **options)
    height, width = (size, size) if isinstance(size, int) else size
    own = fitted(state, other, method="mae", architecture=architecture)[name]
    prefix = int("vit" in architecture)
    expected = resized_table(state[name], (height // patch, width // patch), prefix=prefix)
    assert torch.equal(own, expected)
    assert own.shape == getattr(other, name).shape


def test_as_many_tokens_as_a_square_are_not_taken_for_one():
    """64 x 144 px in patches of 16 are 4 x 9 = 36 tokens, and 6 x 6 would have as many."""
    state = network("convmae_tiny", 80).state_dict()  # 5 x 5
    other = network("convmae_tiny", (64, 144))
    own = fitted(state, other, method="convmae", architecture="convmae_tiny")["pos_embed"]
    assert torch.equal(own, resized_table(state["pos_embed"], (4, 9), prefix=0))


def test_register_tokens_keep_their_rows():
    options = {"reg_tokens": 2, "depth": 1}
    state = network("vit_tiny_patch16_224", 64, **options).state_dict()
    other = network("vit_tiny_patch16_224", 96, **options)
    own = fitted(state, other, method="mae", architecture="vit_tiny_patch16_224")["pos_embed"]
    assert torch.equal(own, resized_table(state["pos_embed"], (6, 6), prefix=3))


def test_a_table_of_no_square_is_left_for_the_comparison_of_shapes():
    state = network("mae_vit_tiny", (64, 96), depth=1).state_dict()
    other = network("mae_vit_tiny", 96, depth=1)
    own = fitted(state, other, method="mae", architecture="mae_vit_tiny")["pos_embed"]
    assert own is state["pos_embed"]
    plain = timm.create_model("vit_tiny_patch16_224", img_size=96, depth=1, num_classes=0)
    assert fitted(state, plain, method=None, architecture="vit_tiny_patch16_224")["pos_embed"] is own


def started(architecture, sizes, tmp_path, **options):
    """A network of one size, and one of another that starts from its file."""
    first, second = (network(architecture, size, **options) for size in sizes)
    torch.nn.init.normal_(first.pos_embed) if getattr(first, "pos_embed", None) is not None else None
    torch.save(first.state_dict(), tmp_path / "weights.pth")
    report = load_weights(second, str(tmp_path / "weights.pth"), allow_partial=False)
    assert (report.missing, report.unexpected, report.method) == ((), (), None)
    return first, second


def test_cait_at_another_size_has_its_table_resized_as_timm_does(tmp_path):
    first, second = started("cait_xxs24_224", (64, 96), tmp_path, depth=1)
    expected = resample_abs_pos_embed(first.pos_embed.detach(), new_size=[6, 6], num_prefix_tokens=0)
    assert torch.equal(second.pos_embed, expected)


def test_volo_at_another_size_has_its_table_resized_as_timm_does(tmp_path):
    first, second = started("volo_d1_224", (64, 96), tmp_path)
    expected = resample_abs_pos_embed_nhwc(first.pos_embed.detach(), new_size=[6, 6])
    assert torch.equal(second.pos_embed, expected)


def test_eva_at_another_size_has_its_table_resized_as_timm_does(tmp_path):
    options = {"depth": 1, "embed_dim": 48, "num_heads": 2}
    first, second = started("eva02_tiny_patch14_224", (56, 84), tmp_path, **options)
    expected = resample_abs_pos_embed(first.pos_embed.detach(), new_size=[6, 6], num_prefix_tokens=1)
    assert torch.equal(second.pos_embed, expected)


def test_beit_at_another_size_is_refused_by_its_biases(tmp_path):
    options = {"depth": 1, "embed_dim": 48, "num_heads": 2}
    with pytest.raises(
        UserError, match=r"of another shape \(blocks\.0\.attn\.relative_position_bias_table\)"
    ):
        started("beit_base_patch16_224", (64, 96), tmp_path, **options)
    started("beit_base_patch16_224", (64, 64), tmp_path, **options)
