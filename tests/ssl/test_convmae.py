"""ConvMAE as a method: what each stage sees (the rest: test_masked_methods.py)."""

from functools import partial

import pytest
import ssl_methods
import torch
from ssl_methods import hide_from_convolutions, noise_for

from mk11.errors import UserError
from mk11.ssl.patches import patchify

network, method, images = (
    partial(made, "convmae") for made in (ssl_methods.network, ssl_methods.method, ssl_methods.images)
)


def encode_everywhere(convmae, image, mask):
    """Visible tokens the published way: all places are computed, the removed hidden from convolutions."""
    network = convmae.encoder
    hide_from_convolutions(network, ~mask.removed, convmae.grid, convmae.places)
    first, second, tokens = network.stages(image.permute(0, 2, 3, 1), (None, None))

    def decoded(conv, stage):
        return mask.visible(conv(stage.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2))

    tokens = network.attend(mask.visible(tokens + network.pos_embed))
    fused = tokens + decoded(convmae.stage1_output_decode, first)
    return network.norm(fused + decoded(convmae.stage2_output_decode, second))


@pytest.mark.parametrize(
    ("size", "patch"),
    [((64, 64), (4, 2, 2)), ((96, 96), (4, 2, 2)), ((48, 80), (4, 2, 2)), ((32, 24), (2, 2, 2))],
)
def test_visible_patches_alone_give_the_published_numbers(size, patch):
    convmae = method(network(img_size=size, patch_size=patch), mask_ratio=0.6)
    image = images(*size)
    mask = convmae.mask(noise_for(convmae, image))
    encoded = convmae.encode(patchify(image, convmae.patch), mask)
    torch.testing.assert_close(encoded, encode_everywhere(convmae, image, mask))


def test_visible_patches_alone_give_the_published_gradients():
    gradients = []
    for everywhere in (False, True):
        convmae, image = method(), images()
        mask = convmae.mask(noise_for(convmae, image))
        pixels = patchify(image, 16)
        latent = encode_everywhere(convmae, image, mask) if everywhere else convmae.encode(pixels, mask)
        latent.sin().sum().backward()
        named = convmae.named_parameters()
        gradients.append({name: value.grad for name, value in named if value.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("side", [64, 96])
def test_removed_pixels_reach_no_visible_token(side):
    convmae, image = method(network(img_size=side)), images(side)
    mask, pixels = convmae.mask(noise_for(convmae, image)), patchify(image, 16)
    hidden = mask.removed[:, :, None]
    latent = convmae.encode(pixels, mask)
    assert torch.equal(convmae.encode(torch.where(hidden, pixels + 3.0, pixels), mask), latent)
    assert not torch.equal(convmae.encode(torch.where(hidden, pixels, pixels + 3.0), mask), latent)


def test_convolutions_look_at_neighbours_but_not_through_removed_patches():
    convmae, noise = method(), torch.ones(2, 16)
    noise[:, [0, 1, 3, 12]] = torch.arange(4) / 8  # the visible ones: three of the first row, one far below
    mask = convmae.mask(noise)
    seen = []
    convmae.encoder.patch_embed3.register_forward_hook(lambda _, taken, given: seen.append(given))
    pixels = patchify(images(), 16)
    convmae.encode(pixels, mask)
    pixels[:, 1] += 1.0
    convmae.encode(pixels, mask)
    changed = (seen[0] != seen[1]).flatten(2).any(dim=2)  # (batch, visible)
    assert changed.tolist() == [[True, True, False, False]] * 2


def test_an_encoder_without_a_last_norm_is_refused():
    with pytest.raises(UserError, match=r"ssl=convmae .*norm.*model\.options"):
        method(network(fc_norm=True))
