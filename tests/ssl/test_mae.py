"""MAE as a method: what its encoder is given, whom it takes (the rest: test_masked_methods.py)."""

import copy
from functools import partial

import pytest
import ssl_methods
import timm
import torch
from ssl_methods import loss_of, noise_for

from mk11.errors import UserError
from mk11.ssl.masking import random_mask
from mk11.ssl.patches import patchify

network, method, images = (
    partial(made, "mae") for made in (ssl_methods.network, ssl_methods.method, ssl_methods.images)
)
TIMMS = "vit_tiny_patch16_224"


def tokens_entering(mae, image):
    """How many tokens of an image the first block is given."""
    seen = []
    handle = mae.encoder.blocks[0].register_forward_pre_hook(lambda _, taken: seen.append(taken[0].shape[1]))
    loss_of(mae, image)
    handle.remove()
    return seen[0]


def test_only_visible_patches_and_the_class_token_are_processed():
    assert tokens_entering(method(mask_ratio=0.75), images()) == 1 + 4
    assert tokens_entering(method(mask_ratio=0.5), images()) == 1 + 8


@pytest.mark.parametrize(("size", "patch"), [(32, 8), (96, 16), ((24, 40), 8), (28, 14)])
def test_any_grid_of_whole_patches_is_taken(size, patch):
    mae = method(network(img_size=size, patch_size=patch), mask_ratio=0.5)
    height, width = (size, size) if isinstance(size, int) else size
    assert mae.grid == (height // patch, width // patch)
    assert loss_of(mae, images(height, width)).isfinite()


def test_the_same_network_trains_its_table_in_fine_tuning():
    assert network(num_classes=3).pos_embed.requires_grad
    assert not method().encoder.pos_embed.requires_grad


OTHERS = [
    ("mae_vit_tiny", {}),
    (TIMMS, {}),
    (TIMMS, {"reg_tokens": 2}),
    (TIMMS, {"reg_tokens": 2, "no_embed_class": True, "init_values": 0.5}),
    (TIMMS, {"pre_norm": True}),
]


@pytest.mark.parametrize(("name", "options"), OTHERS)
def test_with_nothing_removed_the_encoder_is_the_network_itself(name, options):
    mae, image = method(network(name, **options).eval()), images()
    everything = random_mask(noise_for(mae, image), mask_ratio=0.0, truncate=False)
    encoded = mae.encode(patchify(image, 8), everything)
    whole = mae.encoder.forward_features(image)
    patches = whole[:, mae.encoder.num_prefix_tokens :]
    expected = torch.cat([whole[:, :1], everything.visible(patches)], dim=1)
    torch.testing.assert_close(encoded, expected, atol=2e-6, rtol=1e-5)


def test_another_networks_learned_table_is_trained():
    mae = method(network(TIMMS))
    loss_of(mae, images()).backward()
    assert mae.encoder.pos_embed.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (TIMMS, {"class_token": False, "global_pool": "avg", "fc_norm": False}),
        (TIMMS, {"pos_embed": "none"}),
        ("deit_tiny_distilled_patch16_224", {}),
        ("mocov3_vit_conv_tiny", {"embed_dim": 96}),
    ],
)
def test_a_network_that_is_no_plain_vit_is_refused(name, options):
    with pytest.raises(UserError, match=r"ssl=mae needs as model a Vision Transformer.*such as model=mae"):
        method(network(name, **options))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"global_pool": "avg"}, r"norm after the model's last block"),
        ({"dynamic_img_size": True, "dynamic_img_pad": True}, r"image_size must be .* of the patch, 8 px"),
        ({"dynamic_img_size": True}, r"model\.options must leave out dynamic_img_size for ssl=mae"),
        ({"pos_drop_rate": 0.1}, r"model\.options must leave out pos_drop_rate and patch_drop_rate"),
        ({"patch_drop_rate": 0.1}, r"model\.options must leave out pos_drop_rate and patch_drop_rate"),
        ({"global_pool": "map"}, r"global_pool of token or avg for ssl=mae, .* layers of map untrained"),
    ],
)
def test_an_option_that_does_not_suit_is_named(options, told):
    with pytest.raises(UserError, match=told):
        method(network(TIMMS, **options))


def test_a_method_can_be_copied_and_restored():
    mae, image = method(), images()
    twin = copy.deepcopy(mae)
    torch.nn.init.zeros_(twin.decoder.mask_token)
    twin.load_state_dict(mae.state_dict())
    assert torch.equal(loss_of(mae, image), loss_of(twin, image))


def test_a_resnet_is_refused():
    with pytest.raises(UserError, match=r"ssl=mae needs as model a Vision Transformer.* but has ResNet"):
        method(timm.create_model("test_resnet", num_classes=0))
