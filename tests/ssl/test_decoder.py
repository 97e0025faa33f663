"""The decoder that predicts pixels."""

import math

import pytest
import torch

from mk11.errors import UserError
from mk11.ssl.decoder import PixelDecoder
from mk11.ssl.masking import PatchMask, random_mask

GRID = (2, 3)


def decoder(**changed):
    torch.manual_seed(0)
    settings = {
        "encoder_dim": 12,
        "dim": 8,
        "depth": 1,
        "num_heads": 2,
        "mlp_ratio": 4.0,
        "grid": GRID,
        "patch": 4,
        "norm_eps": 1e-6,
        "class_token": True,
    }
    return PixelDecoder(**(settings | changed))


def mask(seed=0, batch=2):
    noise = torch.rand(batch, 6, generator=torch.Generator().manual_seed(seed))
    return random_mask(noise, mask_ratio=0.5, truncate=False)


@pytest.mark.parametrize("class_token", [True, False])
def test_visible_tokens_stand_in_their_places_among_mask_tokens(class_token):
    network, hidden = decoder(class_token=class_token), mask()
    visible = torch.randn(2, 3 + class_token, 12)
    tokens, embedded = network.in_place(visible, hidden), network.embed(visible)
    for image in range(2):
        expected = [network.mask_token[0, 0]] * 6
        for number, place in enumerate(hidden.kept[image]):
            expected[place] = embedded[image, class_token + number]
        if class_token:
            expected.insert(0, embedded[image, 0])
        torch.testing.assert_close(tokens[image], torch.stack(expected))


def test_the_order_of_visible_tokens_does_not_matter():
    network, hidden, visible = decoder(), mask(), torch.randn(2, 4, 12)
    order = torch.tensor([2, 0, 1])
    shuffled = torch.cat([visible[:, :1], visible[:, 1:][:, order]], dim=1)
    other = PatchMask(hidden.kept[:, order], hidden.removed)
    torch.testing.assert_close(
        network(network.in_place(shuffled, other)), network(network.in_place(visible, hidden))
    )


def test_every_patch_gets_its_pixels():
    assert decoder()(torch.randn(2, 7, 8)).shape == (2, 6, 4 * 4 * 3)


def test_places_differ_by_their_position_alone():
    """All tokens are the same mask token, and yet no two patches get the same prediction."""
    network = decoder(class_token=False)
    predicted = network(torch.zeros(1, 6, 8))[0]
    assert torch.pdist(predicted).min() > 1e-4


def test_the_position_table_is_never_trained():
    network = decoder()
    network(network.in_place(torch.randn(2, 4, 12), mask())).sum().backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert without == ["pos_embed"]


def test_matrices_start_from_xavier_with_queries_keys_and_values_as_one():
    weight = decoder(dim=128, num_heads=4).blocks[0].attn.qkv.weight
    limit = math.sqrt(6 / (4 * 128))
    assert 0.98 * limit < weight.abs().max() <= limit


def test_the_mask_token_starts_normal_with_a_deviation_of_a_fiftieth():
    token = decoder(dim=1024, num_heads=4).mask_token.detach().flatten()
    assert token.std().item() == pytest.approx(0.02, rel=0.1)
    assert abs(token.mean().item()) < 0.002
    assert token.abs().max() > 0.02 * 3**0.5  # beyond a uniform distribution of that deviation


@pytest.mark.parametrize(("dim", "heads"), [(10, 2), (12, 8)])
def test_a_width_that_heads_or_sines_cannot_share_is_refused(dim, heads):
    with pytest.raises(UserError, match=rf"ssl\.decoder_dim .*ssl\.decoder_heads.* {dim} and {heads}"):
        decoder(dim=dim, num_heads=heads)
